"""What of a finished run somebody should look at."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.monitoring.alert import Alert
from components.monitoring.config import MonitoringConfig

_CONTENT = {"image": ("with_image", "a picture"), "text": ("with_title", "a title")}


def find_alerts(
    summary: Mapping[str, Any],
    reasons: Mapping[str, Sequence[str]],
    anomalies: Sequence[Mapping[str, str]],
    config: MonitoringConfig,
    coverage_before: Mapping[str, float] | None = None,
) -> list[Alert]:
    """Lists what lies beyond the thresholds.

    Args:
        summary: of the run, as `summary.json` has it: "ctr", "encoder", "recall", "embeddings", "logs".
        reasons: why a model was refused, by the names of `refusals`.
        anomalies: what ExampleValidator found: split, kind, feature, short and description of each.
        config: the thresholds.
        coverage_before: `coverage` of the day before; None where there was none.
    Returns:
        The alerts, the gravest kinds first.
    """
    return [
        *_refused(summary, reasons),
        *_anomalies(anomalies),
        *_calibration(summary["ctr"], config),
        *_coverage(summary["embeddings"], coverage_before, config),
        *_rejects(summary["logs"], config),
    ]


def coverage(embeddings: Mapping[str, Any] | None) -> dict[str, float]:
    """By modality, the share of all items that have its embedding; none of an empty catalog or a run without."""
    if embeddings is None or not embeddings["items"]:
        return {}
    return {name: embeddings[f"{name}_embeddings"] / embeddings["items"] for name in _CONTENT}


def _refused(summary: Mapping[str, Any], reasons: Mapping[str, Sequence[str]]) -> Iterator[Alert]:
    models = {"ctr": summary["ctr"]}
    models |= {f"{modality}_encoder": encoder for modality, encoder in summary["encoder"].items()}
    if summary["recall"] is not None:
        models["recall"] = summary["recall"]
    for name, model in models.items():
        if not model["blessed"]:
            yield Alert("refused", name, "; ".join(reasons.get(name, ())) or "the reasons are in the report")


def _anomalies(anomalies: Sequence[Mapping[str, str]]) -> Iterator[Alert]:
    for kind in ("schema", "skew", "drift"):
        for found in anomalies:
            if found["kind"] == kind:
                said = found["description"] or found["short"]
                # What skew and drift compared, their descriptions say.
                text = f"{found['split']}: {said}" if kind == "schema" else said
                yield Alert(kind, found["feature"] or "all features", text)


def _calibration(ctr: Mapping[str, Any], config: MonitoringConfig) -> Iterator[Alert]:
    value = ctr["calibration"]
    # Where nobody clicked there is no calibration, and no GAUC either: the Evaluator has refused such a model.
    if value is not None and not config.min_calibration <= value <= config.max_calibration:
        expected = f"{config.min_calibration:g} to {config.max_calibration:g}"
        yield Alert(
            "calibration", "ctr", f"predicted over observed clicks is {value:.3f}; expected {expected}"
        )


def _coverage(
    embeddings: Mapping[str, Any] | None, before: Mapping[str, float] | None, config: MonitoringConfig
) -> Iterator[Alert]:
    if embeddings is None:
        return
    now = coverage(embeddings)
    for modality, (content, called) in _CONTENT.items():
        there, encoded = embeddings[content], embeddings[f"{modality}_embeddings"]
        # A run without this encoder encodes nothing and rejects nothing.
        if not encoded and not (before or {}).get(modality):
            continue
        if there and encoded / there < config.min_coverage:
            text = f"{encoded:,} of {there:,} items with {called} have an embedding"
            yield Alert("coverage", modality, f"{text}; expected at least {config.min_coverage:.1%}")
        fell = (before or {}).get(modality, 0.0) - now.get(modality, 0.0)
        if fell > config.max_coverage_drop:
            text = f"the share of items with an embedding fell by {fell:.1%} from the day before"
            yield Alert("coverage", modality, f"{text}; expected at most {config.max_coverage_drop:.1%}")


def _rejects(logs: Mapping[str, Any], config: MonitoringConfig) -> Iterator[Alert]:
    for log, reasons in logs["rejects"].items():
        rejected = sum(reasons.values())
        if rejected > config.max_reject_fraction * logs[log]:
            most = max(reasons, key=lambda reason: reasons[reason])
            said = f"{rejected:,} of {logs[log]:,} rows were rejected, {reasons[most]:,} of them for {most}"
            yield Alert("rejects", log, f"{said}; expected at most {config.max_reject_fraction:.1%}")
