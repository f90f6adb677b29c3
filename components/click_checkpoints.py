"""Where the trainings of models of clicks leave what they go on from after a kill."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfx import types

from models.continuation.fit_checkpoints import FitCheckpoints
from models.ctr.config import CtrConfig
from models.distribution.strategy import is_chief, open_strategy
from models.make.config import MakeConfig
from models.recall.config import RecallConfig
from transforms.configuration import to_json

PARAMETER = "checkpoints"


def open_checkpoints(
    name: str,
    inputs: Mapping[str, Sequence[types.Artifact]],
    parameters: Mapping[str, Any],
    config: CtrConfig | MakeConfig | RecallConfig,
) -> FitCheckpoints | None:
    """The checkpoints of a training; None where it leaves none.

    Each training has a folder of its own: one of the same inputs and parameters goes on, any other begins. On how
    many devices and machines it runs, and how often it saves, is no part of what it comes to.

    Args:
        name: of the model, for people who look into the folder.
        inputs: of the stage.
        parameters: of the stage; `checkpoints` names the folder of all trainings.
        config: the one among the parameters.
    """
    if not parameters.get(PARAMETER) or not config.checkpoint_steps:
        return None
    recipe = dict(parameters) | {
        PARAMETER: None,
        "config": to_json(dataclasses.replace(config, strategy="none", checkpoint_steps=0)),
    }
    uris = {key: [artifact.uri for artifact in given] for key, given in inputs.items()}
    digest = hashlib.sha256(json.dumps([recipe, uris], sort_keys=True).encode()).hexdigest()[:16]
    return FitCheckpoints(f"{parameters[PARAMETER]}/{name}-{digest}", config.checkpoint_steps)


def end_checkpoints(checkpoints: FitCheckpoints | None, strategy: str) -> None:
    """Removes the checkpoints of a training whose results are written; of several workers the chief does."""
    if checkpoints is not None and is_chief(open_strategy(strategy)):
        checkpoints.remove()
