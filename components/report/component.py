"""The Report component: a run as a page for people and a summary for programs."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.monitoring.config import MonitoringConfig
from components.report import executor
from transforms.configuration import to_json


class ReportSpec(component_spec.ComponentSpec):
    """Inputs, parameters and output of `Report`."""

    PARAMETERS: ClassVar = {
        "root": component_spec.ExecutionParameter(type=str),
        "monitoring": component_spec.ExecutionParameter(type=str),
        "date": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        "rejects": component_spec.ChannelParameter(type=artifacts.Rejects),
        "item_stats": component_spec.ChannelParameter(type=artifacts.ItemStats),
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "pushed_model": component_spec.ChannelParameter(type=standard_artifacts.PushedModel),
        "image_evaluation": component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
        "image_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "pushed_image_encoder": component_spec.ChannelParameter(
            type=standard_artifacts.PushedModel, optional=True
        ),
        "text_evaluation": component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
        "text_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "pushed_text_encoder": component_spec.ChannelParameter(
            type=standard_artifacts.PushedModel, optional=True
        ),
        "embeddings": component_spec.ChannelParameter(type=artifacts.Embeddings, optional=True),
        "inspection": component_spec.ChannelParameter(type=artifacts.Inspection, optional=True),
        "baseline_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "make_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "recall_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "recall_evaluation": component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
        "index_evaluation": component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
        "pushed_recall": component_spec.ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
    }
    OUTPUTS: ClassVar = {"report": component_spec.ChannelParameter(type=artifacts.Report)}


class Report(base_component.BaseComponent):
    """Writes `report.html` and `summary.json`.

    It runs before the pipeline has ended, so it knows no stage's time: `write_report`, called after the run with
    the `inputs.json` that this component leaves, writes both once more with the times.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        rejects: types.BaseChannel,
        item_stats: types.BaseChannel,
        anomalies: types.BaseChannel,
        model_run: types.BaseChannel,
        evaluation: types.BaseChannel,
        blessing: types.BaseChannel,
        pushed_model: types.BaseChannel,
        root: str,
        image_evaluation: types.BaseChannel | None = None,
        image_run: types.BaseChannel | None = None,
        pushed_image_encoder: types.BaseChannel | None = None,
        text_evaluation: types.BaseChannel | None = None,
        text_run: types.BaseChannel | None = None,
        pushed_text_encoder: types.BaseChannel | None = None,
        embeddings: types.BaseChannel | None = None,
        inspection: types.BaseChannel | None = None,
        baseline_run: types.BaseChannel | None = None,
        make_run: types.BaseChannel | None = None,
        recall_run: types.BaseChannel | None = None,
        recall_evaluation: types.BaseChannel | None = None,
        index_evaluation: types.BaseChannel | None = None,
        pushed_recall: types.BaseChannel | None = None,
        monitoring: MonitoringConfig | None = None,
        date: str | None = None,
    ):
        """Wires the component.

        Args:
            rejects: `artifacts.Rejects` of LogIngest.
            item_stats: `artifacts.ItemStats` of LogIngest.
            anomalies: `ExampleAnomalies` of the ExampleValidator.
            model_run: `ModelRun` of the CtrTrainer.
            evaluation: `ModelEvaluation` of the Evaluator.
            blessing: `ModelBlessing` of the Evaluator.
            pushed_model: `PushedModel` of the Pusher, also where it pushed nothing.
            root: ROOT of the run; the pushed models' paths are given relative to it.
            image_evaluation, text_evaluation: `ModelEvaluation` of the EncoderEvaluator of that modality. A run
                with one encoder, or none, leaves the others' channels out.
            image_run, text_run: `ModelRun` of that encoder.
            pushed_image_encoder, pushed_text_encoder: `PushedModel` of its Pusher, also where it pushed nothing.
            embeddings: `artifacts.Embeddings` of the CatalogEmbedder.
            inspection: `artifacts.Inspection` of the Inspector.
            baseline_run: `ModelRun` of the ID model that the CTR model is compared with.
            make_run: `ModelRun` of the MakeTrainer.
            recall_run: `ModelRun` of the RecallTrainer. A run without recall leaves this and the next three out.
            recall_evaluation: `ModelEvaluation` of the RecallEvaluator.
            index_evaluation: `ModelEvaluation` of the IndexBuilder.
            pushed_recall: `PushedModel` of recall's Pusher, also where it pushed nothing.
            monitoring: the thresholds of alerts; None: the defaults.
            date: the run's day (ISO), of which `ROOT/days` keeps a record; None of a run that knows no days.
        """
        super().__init__(
            ReportSpec(
                rejects=rejects,
                item_stats=item_stats,
                anomalies=anomalies,
                model_run=model_run,
                evaluation=evaluation,
                blessing=blessing,
                pushed_model=pushed_model,
                image_evaluation=image_evaluation,
                image_run=image_run,
                pushed_image_encoder=pushed_image_encoder,
                text_evaluation=text_evaluation,
                text_run=text_run,
                pushed_text_encoder=pushed_text_encoder,
                embeddings=embeddings,
                inspection=inspection,
                baseline_run=baseline_run,
                make_run=make_run,
                recall_run=recall_run,
                recall_evaluation=recall_evaluation,
                index_evaluation=index_evaluation,
                pushed_recall=pushed_recall,
                root=root,
                monitoring=to_json(monitoring or MonitoringConfig()),
                date=date,
                report=types.Channel(type=artifacts.Report),
            )
        )
