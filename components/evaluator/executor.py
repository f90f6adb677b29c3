"""What the Evaluator component does."""

import json
from typing import Any

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import json_utils, path_utils
from tfx_bsl.tfxio import tf_example_record

from components.evaluator.blessing import write_blessing
from components.evaluator.config import EvaluatorConfig
from components.evaluator.eval_config import GROUP, eval_config, examples_schema
from components.evaluator.gate import COMPARED, find_faults
from components.evaluator.group_batches import group_batches_extractor
from components.evaluator.results import CANDIDATE, VERDICT_FILE, load_metrics
from transforms.configuration import from_json

# Impressions that go through the models, and on to the metrics, at once.
BATCH_SIZE = 1024


class Executor(base_beam_executor.BaseBeamExecutor):
    """Measures the models, blesses or refuses the candidate."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes TFMA's files, `verdict.json` and the blessing.

        Args:
            input_dict: `examples`, `model`, one artifact each; `baseline`, `last_blessed`, at most one each.
            output_dict: `evaluation`, `blessing`, one artifact each.
            exec_properties: `config` and `splits`, as JSON.
        Raises:
            InputError: the splits have no impression.
        """
        config = from_json(EvaluatorConfig, exec_properties["config"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        patterns = [
            f"{artifact_utils.get_split_uri([examples], split)}/*"
            for split in json_utils.loads(exec_properties["splits"])
        ]
        model = artifact_utils.get_single_instance(input_dict["model"])
        models = {CANDIDATE: model} | {name: input_dict[name][0] for name in COMPARED if input_dict.get(name)}
        evaluation = artifact_utils.get_single_uri(output_dict["evaluation"])

        self._measure(patterns, models, evaluation)
        faults = find_faults(load_metrics(evaluation), config)
        with fileio.open(f"{evaluation}/{VERDICT_FILE}", "wb") as stream:
            stream.write(json.dumps({"ok": not faults, "reasons": faults}, indent=2).encode())
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        write_blessing(blessing, model, input_dict.get("last_blessed") or [], not faults)

    def _measure(self, patterns: list[str], models: dict[str, types.Artifact], folder: str) -> None:
        config = eval_config(list(models))
        shared = [
            tfma.default_eval_shared_model(
                eval_saved_model_path=path_utils.serving_model_path(model.uri),
                model_name=name,
                eval_config=config,
            )
            for name, model in models.items()
        ]
        source = tf_example_record.TFExampleRecord(
            patterns, schema=examples_schema(), raw_record_column_name=tfma.ARROW_INPUT_COLUMN
        )
        extractors = [
            tfma.extractors.FeaturesExtractor(config, source.TensorRepresentations()),
            tfma.extractors.LabelsExtractor(config),
            tfma.extractors.PredictionsExtractor(config, shared),
            group_batches_extractor(GROUP),
            tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False),
        ]
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Read" >> source.BeamSource(BATCH_SIZE)
                | "Evaluate"
                >> tfma.ExtractEvaluateAndWriteResults(
                    eval_shared_model=shared,
                    eval_config=config,
                    extractors=extractors,
                    output_path=folder,
                )
            )
