"""What blessings say."""

from collections.abc import Iterable, Mapping, Sequence

from tfx import types
from tfx.components.evaluator import constants

from components.span import span_of

# How a resolver names the click models of all days and their blessings, which say which days were refused.
CLICK_MODEL = "click_model"
CLICK_BLESSING = "click_blessing"


def blessed_models(
    models: Iterable[types.Artifact], blessings: Iterable[types.Artifact]
) -> list[tuple[types.Artifact, types.Artifact]]:
    """Each positive verdict of a model with its model, in the order of the verdicts.

    Args:
        models: `Model`s.
        blessings: `ModelBlessing`s, of other models too.
    """
    by_id: Mapping[int, types.Artifact] = {model.id: model for model in models}
    verdicts = sorted(blessings, key=lambda artifact: artifact.id)
    return [
        (by_id[_model_id(verdict)], verdict)
        for verdict in verdicts
        if _is_blessed(verdict) and _model_id(verdict) in by_id
    ]


def blessed_days(input_dict: Mapping[str, Sequence[types.Artifact]]) -> set[int]:
    """The days whose click model was blessed; what was made on any other is not gone on from.

    Args:
        input_dict: of a resolver, with `click_model` and `click_blessing`.
    """
    verdicts = blessed_models(input_dict[CLICK_MODEL], input_dict[CLICK_BLESSING])
    return {span for model, _ in verdicts if (span := span_of(model)) is not None}


def _model_id(blessing: types.Artifact) -> int:
    return blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)


def _is_blessed(blessing: types.Artifact) -> bool:
    return (
        blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
    )
