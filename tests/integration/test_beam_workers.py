"""What Beam does in another process, where all that a transform needs has to arrive as bytes, is what it does here."""

import functools
import importlib
import json
import os
import pkgutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.portability.api import beam_runner_api_pb2
from beam_workers import beam_workers
from ingest_run import IN_MEMORY, Ingested, run_ingest
from small_logs import BASE, HOUR, MINUTE, good_logs, write_logs
from tensorflow_transform.tf_metadata import schema_utils
from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, artifact_utils, standard_artifacts
from tfx.utils import json_utils
from tfx_bsl.tfxio import tf_example_record
from tiny_encoders import save_image_encoder, save_text_encoder

import components
import transforms
from components.artifacts import Catalog, Embeddings
from components.catalog_embedder.config import EmbedderConfig
from components.catalog_embedder.embed_catalog import EmbedCatalog
from components.catalog_embedder.encoder import Encoder
from components.catalog_embedder.executor import Executor as EmbedderExecutor
from components.catalog_embedder.modality import MODALITIES
from components.evaluator.config import EvaluatorConfig
from components.evaluator.executor import Executor as EvaluatorExecutor
from components.evaluator.results import load_results
from models.metrics.auc import auc
from models.metrics.gauc import gauc
from models.metrics.logloss import logloss
from transforms.check_logs import find_logs
from transforms.configuration import to_json
from transforms.count_ids import CountIds
from transforms.feature import Feature
from transforms.ingest_config import IngestConfig
from transforms.ingest_logs import IngestLogs, IngestOutputs
from transforms.ingest_window import IngestWindow
from transforms.preprocessing import preprocessing_fn
from transforms.read_parquet import find_parquet

Flags = tuple[str, ...]
CONFIG = IngestConfig(
    features=(
        Feature("city", num_oov_buckets=2),
        Feature("age", kind="numeric"),
        Feature("hour", kind="bucketized", num_buckets=3),
    ),
    rows_per_file=20,
)
# The impressions are a minute apart: those of the first 20 minutes are the day before, training lasts to the 40th.
FIRST_WINDOW = IngestWindow(0, None, BASE + 20 * MINUTE, BASE + 40 * MINUTE, BASE)
WINDOW = IngestWindow(1, BASE + 20 * MINUTE, BASE + 40 * MINUTE, BASE + 60 * MINUTE, BASE)
COLUMNS = {"city": pa.string(), "age": pa.float32(), "hour": pa.float32()}


@pytest.fixture(scope="module")
def workers() -> Iterator[Flags]:
    with beam_workers() as flags:
        yield flags


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs in two files each, with a duplicate and an unknown item."""
    rows = good_logs()
    for number, row in enumerate(rows["impressions"]):
        row |= {"city": f"city {number % 7}", "age": 20.0 + number, "hour": number % 24}
    rows["impressions"][7]["item_id"] = "gone"
    rows["purchases"][9]["purchase_id"] = "p0"
    files = {log: [[entries[1::2]], [entries[::2]]] for log, entries in rows.items()}
    return write_logs(tmp_path_factory.mktemp("logs") / "logs", files, {"impressions": COLUMNS})


@pytest.fixture(scope="module")
def folder(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the in-memory runner has written what it makes of the logs."""
    return tmp_path_factory.mktemp("in_memory")


@pytest.fixture(scope="module")
def ingested(logs: Path, folder: Path) -> Ingested:
    return run_ingest(logs, folder, CONFIG, BASE + 10 * HOUR, IN_MEMORY)


def test_the_workers_are_another_process(workers: Flags, tmp_path: Path) -> None:
    def write_pid(path: str) -> None:
        Path(path).write_text(str(os.getpid()))

    with beam.Pipeline(options=PipelineOptions(list(workers))) as pipeline:
        _ = pipeline | beam.Create([str(tmp_path / "pid")]) | beam.Map(write_pid)
    assert int((tmp_path / "pid").read_text()) != os.getpid()


def test_ingest(logs: Path, ingested: Ingested, workers: Flags, tmp_path: Path) -> None:
    found = run_ingest(logs, tmp_path, CONFIG, BASE + 10 * HOUR, workers)
    assert sum(found.counts["splits"].values()) == 59
    assert_equal(found, ingested)


def test_ingest_of_a_day(logs: Path, workers: Flags, tmp_path: Path) -> None:
    run_ingest(logs, tmp_path / "before", CONFIG, BASE + 10 * HOUR, IN_MEMORY, FIRST_WINDOW)
    here, there = (
        run_ingest(logs, tmp_path / name, CONFIG, BASE + 10 * HOUR, flags, WINDOW, tmp_path / "before")
        for name, flags in (("here", IN_MEMORY), ("there", workers))
    )
    assert there.history and sum(there.counts["splits"].values()) == 40
    assert_equal(there, here)


def test_vocabulary(workers: Flags, tmp_path: Path) -> None:
    out = tmp_path / "counts"

    def write(element: tuple[tuple[str, int], pa.RecordBatch]) -> None:
        (name, shard), batch = element
        out.mkdir(exist_ok=True)
        (out / f"{name}-{shard}").write_text(
            json.dumps([(row["id"].decode(), row["count"]) for row in batch.to_pylist()])
        )

    lists = {"a": [[b"x"], [b"y", b"x"], []], "b": [[b"z"], [b"x"], [b"z"]]}
    batch = pa.RecordBatch.from_pydict(
        {name: pa.array(rows, pa.list_(pa.binary())) for name, rows in lists.items()}
    )
    with beam.Pipeline(options=PipelineOptions(list(workers))) as pipeline:
        _ = (
            pipeline
            | beam.Create([batch, batch])
            | CountIds({"both": ("a", "b"), "one": ("a",)})
            | beam.Map(write)
        )
    found = {
        name: dict(pair for path in out.glob(f"{name}-*") for pair in json.loads(path.read_text()))
        for name in ("both", "one")
    }
    # In each of the two batches x stands twice in a and once in b.
    assert found == {"both": {"x": 6, "y": 2, "z": 4}, "one": {"x": 4, "y": 2}}


def test_embedder(folder: Path, ingested: Ingested, workers: Flags, tmp_path: Path) -> None:
    blessing = standard_artifacts.ModelBlessing()
    blessing.set_int_custom_property("blessed", 1)
    inputs = {"catalog": [at(Catalog(), folder / "catalog")]}
    for name, save in (("image", save_image_encoder), ("text", save_text_encoder)):
        inputs[f"{name}_model"] = [at(standard_artifacts.Model(), Path(save(tmp_path / name)))]
        inputs[f"{name}_blessing"] = [blessing]
    out = tmp_path / "embeddings"
    EmbedderExecutor(context(workers, tmp_path)).Do(
        inputs,
        {"embeddings": [at(Embeddings(), out)]},
        {"config": to_json(EmbedderConfig(rows_per_file=2)), "cache": str(tmp_path / "cache")},
    )
    rows = [row for path in out.glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    found = {row["item_id"]: (row["image_embedding"], row["text_embedding"]) for row in rows}
    # The pictures are gray, each 40 brighter than the last; titles such as "thing 3" have 7 characters and bytes.
    assert found == {f"i{number}": ([40.0 * number] * 3, [7.0, 7.0]) for number in range(6)}
    counts = json.loads((out / "counts.json").read_text())
    assert counts["encoded"] == {"image": 6, "text": 6}


def test_statistics(folder: Path, ingested: Ingested, workers: Flags, tmp_path: Path) -> None:
    statistics = at(standard_artifacts.ExampleStatistics(), tmp_path / "statistics")
    StatisticsExecutor(context(workers, tmp_path)).Do(
        {"examples": [examples(folder)]}, {"statistics": [statistics]}, {"exclude_splits": "[]"}
    )
    (found,) = tfdv.load_stats_binary(str(tmp_path / "statistics/Split-train/FeatureStats.pb")).datasets
    features = {feature.path.step[0]: feature for feature in found.features}
    train = ingested.split("train")
    assert found.num_examples == len(train)
    assert features["city"].string_stats.unique == len({row["city"][0] for row in train})
    ages = np.array([row["age"][0] for row in train])
    assert features["age"].num_stats.mean == pytest.approx(ages.mean())
    assert features["age"].num_stats.std_dev == pytest.approx(ages.std())


def test_preprocessing(folder: Path, ingested: Ingested, workers: Flags, tmp_path: Path) -> None:
    texts = ("user_id", "item_id", "category_id", "shop_id", "city")
    behaviors = tuple(f"behavior_{name}" for name in texts[1:4])
    spec = dict.fromkeys((*texts, *behaviors), tf.io.VarLenFeature(tf.string))
    spec |= dict.fromkeys(("age", "hour"), tf.io.VarLenFeature(tf.float32))
    spec["clicked"] = tf.io.VarLenFeature(tf.int64)
    files = str(folder / "examples" / "Split-train" / "*")
    source = tf_example_record.TFExampleRecord(files, schema=schema_utils.schema_from_feature_spec(spec))
    function = functools.partial(preprocessing_fn, custom_config={"ingest": to_json(CONFIG)})
    options = PipelineOptions(list(workers))
    with beam.Pipeline(options=options) as pipeline, tft_beam.Context(str(tmp_path / "tmp")):
        raw = pipeline | source.BeamSource()
        graph = (raw, source.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(function)
        _ = graph | tft_beam.WriteTransformFn(str(tmp_path / "graph"))
    output = tft.TFTransformOutput(str(tmp_path / "graph"))

    train = ingested.split("train")
    for name in texts:
        # The ids of behaviors are of the same vocabulary as their column.
        counts = Counter(
            value for row in train for key in (name, f"behavior_{name}") for value in row.get(key, [])
        )
        found = [value.decode() for value in output.vocabulary_by_name(name)]
        assert sorted(found) == sorted(counts)
        assert [counts[value] for value in found] == sorted(counts.values(), reverse=True)
    records = [record for path in tf.io.gfile.glob(files) for record in tf.data.TFRecordDataset(path)]
    values = output.transform_raw_features(tf.io.parse_example(records, spec))
    ages = np.array([row["age"][0] for row in train])
    assert np.sort(values["age_xf"]) == pytest.approx(np.sort((ages - ages.mean()) / ages.std()), abs=1e-5)
    assert set(values["hour_xf"].numpy().tolist()) == {1, 2, 3}


def test_evaluator(folder: Path, ingested: Ingested, workers: Flags, tmp_path: Path) -> None:
    model = at(standard_artifacts.Model(), tmp_path / "model")
    model.id = 1
    module = _Guess()
    tf.saved_model.save(module, f"{model.uri}/Format-Serving", signatures={"serving_default": module.serve})
    evaluation = at(standard_artifacts.ModelEvaluation(), tmp_path / "evaluation")
    EvaluatorExecutor(context(workers, tmp_path)).Do(
        {"examples": [examples(folder)], "model": [model], "baseline": []},
        {
            "evaluation": [evaluation],
            "blessing": [at(standard_artifacts.ModelBlessing(), tmp_path / "blessing")],
        },
        {"config": to_json(EvaluatorConfig()), "splits": json_utils.dumps(["train", "test"])},
    )
    found = load_results(evaluation.uri)
    rows = [*ingested.split("train"), *ingested.split("test")]
    users, clicked = (
        np.array([row["user_id"][0] for row in rows]),
        np.array([row["clicked"][0] for row in rows]),
    )
    predictions = module.predict(tf.constant([row["item_id"][0] for row in rows])).numpy()
    assert found["impressions"] == len(rows)
    assert found["auc"] == pytest.approx(auc(clicked, predictions))
    assert found["gauc"] == pytest.approx(gauc(users, clicked, predictions))
    assert found["logloss"] == pytest.approx(logloss(clicked, predictions))


def test_no_transform_is_left_out(logs: Path, folder: Path, ingested: Ingested, tmp_path: Path) -> None:
    """Every transform of this project is a part of what the tests above run."""
    outputs = outputs_below(tmp_path)
    encoders = {modality.name: Encoder(modality, str(tmp_path), "fingerprint", 2) for modality in MODALITIES}
    catalog = find_parquet(str(folder / "catalog" / "*.parquet"))
    used = classes_of(
        IngestLogs(find_logs(str(logs), CONFIG), CONFIG, BASE + 10 * HOUR, outputs, FIRST_WINDOW)
    )
    used |= classes_of(EmbedCatalog(catalog, encoders, [], EmbedderConfig(), str(tmp_path)))
    used.add(full_name(CountIds))
    written = {name for package in (transforms, components) for name in transforms_in(package)}
    assert written - used == set()


def test_dataflow_takes_the_job(logs: Path, tmp_path: Path) -> None:
    """Up to where it would be sent: translated, checked, and for the image that was named."""
    flags = [
        "--runner=DataflowRunner",
        "--dry_run=True",
        "--no_auth",
        "--project=shop",
        "--region=europe-west1",
        "--temp_location=gs://bucket/temp",
        "--sdk_location=container",
        "--sdk_container_image=registry/adlens-beam:0.1.0",
    ]
    pipeline = beam.Pipeline(options=PipelineOptions(flags))
    _ = pipeline | IngestLogs(find_logs(str(logs), CONFIG), CONFIG, BASE + 10 * HOUR, outputs_below(tmp_path))
    job = pipeline.run().job
    images = [
        beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image
        for environment in job.proto_pipeline.components.environments.values()
    ]
    assert images and set(images) == {"registry/adlens-beam:0.1.0"}


class _Guess(tf.Module):
    """Tells a click by the item's name."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = tf.io.parse_example(examples, {"item_id": tf.io.FixedLenFeature([], tf.string)})
        return {"probabilities": self.predict(features["item_id"])}

    def predict(self, item_ids: tf.Tensor) -> tf.Tensor:
        return (tf.cast(tf.strings.to_hash_bucket_fast(item_ids, 4), tf.float32) + 0.5) / 4


class _Classes(PipelineVisitor):
    """Gathers the names of the classes of all transforms of a pipeline."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def enter_composite_transform(self, transform_node: AppliedPTransform) -> None:
        self.visit_transform(transform_node)

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        self.found.add(full_name(type(transform_node.transform)))


def classes_of(transform: beam.PTransform) -> set[str]:
    """The classes of a transform and of its parts."""
    pipeline = beam.Pipeline(options=PipelineOptions(list(IN_MEMORY)))
    _ = pipeline | transform
    visitor = _Classes()
    pipeline.visit(visitor)
    return visitor.found


def transforms_in(package: ModuleType) -> Iterator[str]:
    """The names of the transforms that are written below a package."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if (
                isinstance(value, type)
                and issubclass(value, beam.PTransform)
                and value.__module__ == module.name
            ):
                yield full_name(value)


def full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def assert_equal(found: Ingested, wanted: Ingested) -> None:
    """Everything is the same but the order of the rows of pairs, catalog and history, which has no meaning."""
    assert (found.examples, found.item_stats) == (wanted.examples, wanted.item_stats)
    assert (found.rejects, found.counts) == (wanted.rejects, wanted.counts)
    for split, pairs in wanted.pairs.items():
        assert sorted(found.pairs[split], key=repr) == sorted(pairs, key=repr)
    assert sorted(found.catalog, key=repr) == sorted(wanted.catalog, key=repr)
    assert sorted(found.history, key=repr) == sorted(wanted.history, key=repr)


def outputs_below(folder: Path) -> IngestOutputs:
    names = ("examples", "query_pairs", "catalog", "item_stats", "rejects", "history")
    return IngestOutputs(**{name: str(folder / name) for name in names})


def at(artifact: Artifact, path: Path) -> Artifact:
    artifact.uri = str(path)
    return artifact


def examples(folder: Path) -> Artifact:
    artifact = at(standard_artifacts.Examples(), folder / "examples")
    artifact.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
    return artifact


def context(flags: Flags, out: Path) -> BaseBeamExecutor.Context:
    return BaseBeamExecutor.Context(beam_pipeline_args=list(flags), tmp_dir=str(out / "tmp"))
