"""The configuration of a run: one frozen dataclass a stage, checked when made."""

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from components.catalog_embedder.config import EmbedderConfig
from components.encoder_evaluator.config import EncoderEvaluatorConfig
from components.evaluator.config import EvaluatorConfig
from components.inspector.config import InspectorConfig
from components.monitoring.config import MonitoringConfig
from components.recall_evaluator.config import RecallEvaluatorConfig
from components.release.config import ReleaseConfig
from models.ctr.config import CtrConfig
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.make.config import MakeConfig
from models.recall.config import RecallConfig
from pipeline.daily.config import DailyConfig
from serving.retrieval.config import IndexConfig
from transforms.configuration import from_values
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError


@dataclass(frozen=True)
class ValidationConfig:
    """How the data is looked over before anything learns from it.

    Attributes:
        schema: path of an edited schema (`schema.pbtxt`); empty: the schema is inferred from training.
        skew_threshold: distance between the training and the eval split's values of a feature that is
            reported; L-infinity for ids, Jensen-Shannon for numbers.
        drift_threshold: the same between one span of time and the next.
    """

    schema: str = ""
    skew_threshold: float = 0.1
    drift_threshold: float = 0.1

    def __post_init__(self) -> None:
        for name in ("skew_threshold", "drift_threshold"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"validation.{name} must lie in (0, 1], got {getattr(self, name)}")


MODALITIES = ("image", "text")


@dataclass(frozen=True)
class RunConfig:
    """Everything a run can be told.

    `modalities` names the encoders that it trains, by none, one or both; `train_recall` says whether it trains a
    model of recall beside that of clicks.
    """

    modalities: tuple[str, ...] = MODALITIES
    train_recall: bool = True
    ingest: IngestConfig = field(default_factory=IngestConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    image_encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    encoder_evaluator: EncoderEvaluatorConfig = field(default_factory=EncoderEvaluatorConfig)
    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    make: MakeConfig = field(default_factory=MakeConfig)
    ctr: CtrConfig = field(default_factory=CtrConfig)
    evaluator: EvaluatorConfig = field(default_factory=EvaluatorConfig)
    inspector: InspectorConfig = field(default_factory=InspectorConfig)
    recall: RecallConfig = field(default_factory=RecallConfig)
    recall_evaluator: RecallEvaluatorConfig = field(default_factory=RecallEvaluatorConfig)
    index: IndexConfig = field(default_factory=IndexConfig)
    release: ReleaseConfig = field(default_factory=ReleaseConfig)
    monitoring: MonitoringConfig = field(default_factory=MonitoringConfig)
    daily: DailyConfig = field(default_factory=DailyConfig)

    def __post_init__(self) -> None:
        for modality in self.modalities:
            if modality not in MODALITIES or self.modalities.count(modality) > 1:
                raise InputError(
                    f"modalities must name each of {', '.join(MODALITIES)} at most once, "
                    f"got {', '.join(self.modalities)}"
                )
        self._check_content()

    @property
    def content_modalities(self) -> tuple[str, ...]:
        """Whose embeddings enter models of clicks that take any."""
        return self.modalities if self.ctr.modalities is None else self.ctr.modalities

    @property
    def ctr_modalities(self) -> tuple[str, ...]:
        """Whose embeddings enter the configured click-through-rate model."""
        return self.content_modalities if self.ctr.uses_content else ()

    @property
    def recall_modalities(self) -> tuple[str, ...]:
        """Whose embeddings enter the configured recall model."""
        named = self.modalities if self.recall.modalities is None else self.recall.modalities
        return named if self.recall.uses_content else ()

    def _check_content(self) -> None:
        ctr, recall = self.ctr, self.recall
        if ctr.uses_content and not self.content_modalities:
            raise InputError(
                f"ctr.integration {ctr.integration} needs embeddings, but no modality is named; "
                "name one, or set ctr.integration to id"
            )
        if self.train_recall and recall.uses_content and not self.recall_modalities:
            raise InputError(
                f"recall.fusion {recall.fusion} needs embeddings, but no modality is named; "
                "name one, set recall.fusion to id, or train_recall to false"
            )
        self._check_named("ctr", self.content_modalities)
        self._check_named("recall", self.recall_modalities)

    def _check_named(self, stage: str, modalities: Iterable[str]) -> None:
        for modality in modalities:
            if modality not in self.modalities:
                raise InputError(
                    f"{stage}.modalities names {modality!r}, which modalities ({', '.join(self.modalities)}) lacks"
                )


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number, as YAML 1.2 does, and leaves times as the texts that the configuration wants."""


_Loader.yaml_implicit_resolvers = {
    letter: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def override(config: RunConfig, values: dict[str, Any]) -> RunConfig:
    """Replaces values of a configuration by those of a nested mapping, as a YAML file has them."""
    return from_values(RunConfig, merge(dataclasses.asdict(config), values))


def read_yaml(path: str) -> dict[str, Any]:
    """Reads a YAML file of configuration values. Raises InputError where it is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            values = yaml.load(stream, _Loader)
    except OSError as error:
        raise InputError(f"config {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"config {path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"config {path} must hold keys and values, got {type(values).__name__}")
    return values


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Reads `key.key=value` settings, each value as YAML, into a nested mapping."""
    values: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise InputError(f"--set expects key=value, got {setting!r}")
        try:
            value = yaml.load(text, _Loader)
        except yaml.YAMLError as error:
            raise InputError(f"--set {path}: {text!r} is no YAML value") from error
        nested: Any = value if value is not None else ""
        for key in reversed(path.split(".")):
            nested = {key: nested}
        values = merge(values, nested)
    return values


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Nested values with others over them."""
    merged = dict(base)
    for key, value in over.items():
        both_nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_nested else value
    return merged
