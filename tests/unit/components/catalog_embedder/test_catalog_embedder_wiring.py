"""The component in a pipeline: optional channels, an empty baseline, and runs that follow each other."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types.standard_artifacts import Model, ModelBlessing
from tiny_encoders import save_text_encoder

from components.artifacts import Catalog
from components.blessed_model.strategy import BlessedModelStrategy
from components.catalog_embedder.component import CatalogEmbedder
from components.catalog_embedder.config import EmbedderConfig
from transforms.input_error import InputError

SCHEMA = pa.schema([("item_id", pa.string()), ("title", pa.string()), ("image", pa.binary())])


@component
def Ingest(catalog: OutputArtifact[Catalog], titles: Parameter[str]):
    rows = [{"item_id": f"i{number}", "title": title} for number, title in enumerate(titles.split(","))]
    Path(catalog.uri).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), f"{catalog.uri}/catalog-00000.parquet")


@component
def Train(model: OutputArtifact[Model]):
    save_text_encoder(Path(model.uri))


@component
def Bless(blessing: OutputArtifact[ModelBlessing]):
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.BLESSED_VALUE)


def run(root: Path, titles: str) -> dict:
    """Runs a pipeline of titles alone; returns the last counts."""
    ingest, train, bless = Ingest(titles=titles), Train(), Bless()
    baseline = Resolver(
        strategy_class=BlessedModelStrategy,
        candidate=train.outputs["model"],
        model=types.Channel(type=Model, producer_component_id=train.id),
        model_blessing=types.Channel(type=ModelBlessing),
    ).with_id("baseline")
    embedder = CatalogEmbedder(
        catalog=ingest.outputs["catalog"],
        config=EmbedderConfig(),
        cache=str(root / "cache"),
        text_model=train.outputs["model"],
        text_blessing=bless.outputs["blessing"],
        text_baseline=baseline.outputs["model"],
    )
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="embed",
            pipeline_root=str(root),
            components=[ingest, train, bless, baseline, embedder],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.db")),
            beam_pipeline_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"],
        )
    )
    uri = json.loads((root / "cache" / "embeddings.json").read_text())["uri"]
    return json.loads(Path(uri, "counts.json").read_text()) | {"uri": uri}


def test_runs_follow_each_other(tmp_path: Path) -> None:
    first = run(tmp_path, "one,two")
    assert (first["encoded"]["text"], first["reused"]["text"]) == (2, 0)
    # The same call again finds the component done: it has written nothing new.
    assert run(tmp_path, "one,two") == first
    # Another catalog: the component runs, and encodes what the first one did not.
    second = run(tmp_path, "one,two,three")
    assert (second["encoded"]["text"], second["reused"]["text"]) == (1, 2)
    assert second["uri"] != first["uri"]


def test_it_wants_an_encoder_and_its_blessing() -> None:
    catalog, model = types.Channel(type=Catalog), types.Channel(type=Model)
    with pytest.raises(InputError, match="an image encoder or a text encoder, got neither"):
        CatalogEmbedder(catalog=catalog, config=EmbedderConfig(), cache="c")
    with pytest.raises(InputError, match="text_model and text_blessing together"):
        CatalogEmbedder(catalog=catalog, config=EmbedderConfig(), cache="c", text_model=model)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"batch_size": 0}, "embedder.batch_size must be at least 1, got 0"),
        ({"rows_per_file": -1}, "embedder.rows_per_file must be at least 1, got -1"),
        ({"max_reject_fraction": 1.5}, r"embedder.max_reject_fraction must lie in \[0, 1\], got 1.5"),
    ],
)
def test_configuration_is_checked(values: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        EmbedderConfig(**values)
