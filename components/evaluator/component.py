"""The Evaluator component: how well a click model predicts, and whether it may be pushed."""

from collections.abc import Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.utils import json_utils

from components.evaluator import executor
from components.evaluator.config import EvaluatorConfig
from transforms.configuration import to_json
from transforms.time_splits import SPLITS


class EvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `Evaluator`."""

    PARAMETERS: ClassVar = {
        "config": component_spec.ExecutionParameter(type=str),
        "splits": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "last_blessed": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures a click model and those that it is compared with in one pass, and blesses or refuses it.

    TFX's own Evaluator compares with one baseline; here there are two, the ID model of the same run and the last
    blessed model. The blessing is the same, so TFX's Pusher takes it.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        config: EvaluatorConfig,
        baseline: types.BaseChannel | None = None,
        last_blessed: types.BaseChannel | None = None,
        splits: Sequence[str] = SPLITS[-1:],
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest.
            model: `Model`, the candidate.
            config: what it must reach.
            baseline: `Model`, the ID model of the same run; may be empty.
            last_blessed: `Model`, the last blessed one; may be empty.
            splits: the splits of the examples to evaluate on.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline=baseline,
                last_blessed=last_blessed,
                config=to_json(config),
                splits=json_utils.dumps(list(splits)),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
