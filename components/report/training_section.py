"""The page's part on the trainings of the models of clicks."""

from typing import Any

from components.report import formats, parts, plots
from components.report.markup import Markup, tag
from components.report.run_record import RunRecord


def render_training(record: RunRecord) -> Markup:
    """The section: the model's training, and those of MAKE and of the ID model where there are any.

    Args:
        record: what the run left behind.
    """
    history, make, baseline = record.history, record.make_history, record.baseline_history
    said = [_time(f"“{history['model']}”", history)]
    drawn = [plots.training_plot(history["curve"], f"Training of “{history['model']}”")]
    if baseline is not None:
        said.append(_time("the model of IDs alone", baseline))
        drawn.append(plots.training_plot(baseline["curve"], "Training of IDs alone"))
    if make is not None:
        said.append(_time(f"MAKE before it, in {len(make['epochs'])} epochs,", make))
        drawn += _make(make["epochs"])
    return parts.section("Training", f"{'; '.join(said)}.", tag("div", drawn, class_="grid"))


def _time(name: str, history: dict[str, Any]) -> str:
    speed = history["examples"] / history["seconds"] if history["seconds"] else 0
    return (
        f"{name} took {formats.seconds(history['seconds'])} for {formats.count(history['examples'])} examples, "
        f"{formats.compact(speed)} a second"
    )


def _make(epochs: list[dict[str, Any]]) -> list[Markup]:
    reading = "LogLoss over each epoch of the train split, and on the eval split after it."
    return [
        plots.epoch_plot(epochs, {"train": "loss", "eval": "logloss"}, "loss", "MAKE: loss", reading),
        plots.epoch_plot(epochs, {"eval": "auc"}, "AUC", "MAKE: AUC", "On the eval split after each epoch."),
    ]
