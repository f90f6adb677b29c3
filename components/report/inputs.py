"""Where the artifacts lie that a report reads."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Self

from transforms.input_error import InputError


@dataclass(frozen=True)
class ReportInputs:
    """The folders (paths or URIs) of one run's artifacts.

    Attributes:
        rejects: `counts.json` and Parquet files of the rejected rows.
        item_stats: Parquet files with `item_id, impressions, clicks, frequency_group`.
        anomalies: `anomalies.json`, or TFDV's `Split-<name>/SchemaDiff.pb`.
        model_run: `history.json` of the CTR training.
        evaluation: the Evaluator's output, read by `components.evaluator.results`.
        blessing: the Evaluator's verdict, a file named `BLESSED` or `NOT_BLESSED`.
        pushed_model: where the Pusher put the model, or None when it pushed nothing.
    """

    rejects: str
    item_stats: str
    anomalies: str
    model_run: str
    evaluation: str
    blessing: str
    pushed_model: str | None

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            InputError: if the text is not an object with exactly this class's attributes.
        """
        expected = sorted(field.name for field in fields(cls))
        values = json.loads(text)
        if not isinstance(values, dict) or sorted(values) != expected:
            raise InputError(
                f"report inputs: expected an object with {', '.join(expected)}, got {text[:200]!r}"
            )
        return cls(**values)
