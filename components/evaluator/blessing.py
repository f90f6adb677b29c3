"""Leaves a verdict as TFX's Evaluator does, for the Pusher and the resolver of the last blessed model."""

from collections.abc import Sequence

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.io import fileio


def write_blessing(
    blessing: types.Artifact, model: types.Artifact, last_blessed: Sequence[types.Artifact], blessed: bool
) -> None:
    """Writes the file BLESSED or NOT_BLESSED, and which models were compared.

    Args:
        blessing: `ModelBlessing` to fill.
        model: the candidate.
        last_blessed: the model that it would replace, at most one.
        blessed: the verdict.
    """
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    for artifact in last_blessed:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, artifact.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, artifact.id)
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    fileio.makedirs(blessing.uri)
    with fileio.open(f"{blessing.uri}/{name}", "wb") as stream:
        stream.write(b"")
