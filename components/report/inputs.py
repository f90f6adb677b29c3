"""Where the artifacts lie that a report reads."""

import json
from dataclasses import MISSING, asdict, dataclass, fields
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
        image_evaluation, text_evaluation: `metrics.json` and `examples.parquet` of the EncoderEvaluator; None in
            a run without that encoder.
        image_run, text_run: `history.json` of the encoder's training; None likewise.
        pushed_image_encoder, pushed_text_encoder: where the Pusher put the encoder, or None.
        embeddings: `counts.json` of the CatalogEmbedder; None in a run without embeddings.
        inspection: `inspection.json` of the Inspector; None in a run that inspected nothing.
        baseline_run: `history.json` of the ID model's training; None in a run without one beside the model.
        make_run: `history.json` of MAKE's training; None in a run that did not train it on its own.
        recall_run: `history.json` of the recall model's training; None in a run without recall.
        recall_evaluation: `metrics.json` of the RecallEvaluator; None likewise.
        index_evaluation: `metrics.json` of the IndexBuilder; None likewise.
        pushed_recall: where the Pusher put the recall model with its index, or None.
        monitoring: the thresholds of alerts, a `MonitoringConfig` as JSON; None: its defaults.
        days: the ledger, `ROOT/days`; None of a run that knows no days.
        date: the run's day (ISO); None of a run that knows no days.
    """

    rejects: str
    item_stats: str
    anomalies: str
    model_run: str
    evaluation: str
    blessing: str
    pushed_model: str | None
    image_evaluation: str | None = None
    image_run: str | None = None
    pushed_image_encoder: str | None = None
    text_evaluation: str | None = None
    text_run: str | None = None
    pushed_text_encoder: str | None = None
    embeddings: str | None = None
    inspection: str | None = None
    baseline_run: str | None = None
    make_run: str | None = None
    recall_run: str | None = None
    recall_evaluation: str | None = None
    index_evaluation: str | None = None
    pushed_recall: str | None = None
    monitoring: str | None = None
    days: str | None = None
    date: str | None = None

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            InputError: if the text is not an object with this class's attributes; those that may be None may
                also be absent.
        """
        expected = {field.name for field in fields(cls)}
        required = {field.name for field in fields(cls) if field.default is MISSING}
        values = json.loads(text)
        if not isinstance(values, dict) or not required <= set(values) <= expected:
            raise InputError(
                f"report inputs: expected an object with {', '.join(sorted(expected))}, got {text[:200]!r}"
            )
        return cls(**values)
