"""The real pipeline over simulated logs: what it leaves behind, and what it does after a kill."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from benchmarks.running_stack import RunningStack, copy_root

pytestmark = pytest.mark.timeout(1200)

# Runs in a process that does not know this project: scores through both signatures.
SCORE_ELSEWHERE = """
import json, sys
import numpy as np
import tensorflow as tf

directory, records = sys.argv[1:]
loaded = tf.saved_model.load(directory)
assert not {"models", "transforms", "serving", "pipeline"} & set(sys.modules)
serialized = next(iter(tf.data.TFRecordDataset(records).skip(200).take(1))).numpy()
example = tf.train.Example.FromString(serialized)

def column(name):
    values = example.features.feature[name].bytes_list.value
    return [value.decode() for value in values]

default = loaded.signatures["serving_default"](examples=tf.constant([serialized]))["probabilities"]
score = loaded.signatures["score_candidates"]
user = {name: tf.constant(column(name)) for name in ("user_id", "gender", "age_group", "city", "placement")}
behaviors = {
    name: tf.constant([column(name)], tf.string)
    for name in ("behavior_item_id", "behavior_category_id", "behavior_shop_id")
}
# Five candidates: the impression's own item in the middle, and one that no log has ever named.
items = {name: tf.constant([f"never {name} 0"] + column(name) * 3 + [f"never {name} 4"]) for name in
         ("item_id", "category_id", "shop_id")}
# No embedding handed over: the model takes its own.
lengths = {"behavior_": [1, len(column("behavior_item_id"))], "": [5]}
embeddings = {
    name: tf.zeros([*lengths["behavior_" if name.startswith("behavior_") else ""], spec.shape[-1]])
    for name, spec in score.structured_input_signature[1].items() if name.endswith("_embedding")
}
assert len(embeddings) == 4
candidates = score(**user, **behaviors, **items, **embeddings)["probabilities"]
print(json.dumps({"default": default.numpy().ravel().tolist(), "candidates": candidates.numpy().tolist(),
                  "behaviors": len(column("behavior_item_id"))}))
"""

# Runs in a process that does not know this project: encodes pictures and titles as TF Serving would.
ENCODE_ELSEWHERE = """
import sys
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
import tensorflow_text

image, text, inputs, expected = sys.argv[1:]
table, expected = pq.read_table(inputs), np.load(expected)
for name, path, input_name, column in (
    ("image", image, "image_bytes", "image"), ("text", text, "text", "title")
):
    loaded = tf.saved_model.load(path)
    assert not {"models", "transforms", "serving", "pipeline"} & set(sys.modules)
    encode = loaded.signatures["serving_default"]
    values = table[column].to_pylist()
    whole = encode(**{input_name: tf.constant(values)})["embedding"].numpy()
    single = encode(**{input_name: tf.constant(values[:1])})["embedding"].numpy()
    np.testing.assert_allclose(whole, expected[name], atol=1e-5)
    np.testing.assert_allclose(single, expected[name][:1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
"""


def test_run_ends_well_after_a_kill_in_every_stage(finished_run):
    assert finished_run.killed_in == (
        "LogIngest",
        "ImageEncoder",
        "TextEncoder",
        "Transform",
        "CatalogEmbedder",
        "MakeTrainer",
        "CtrTrainer",
        "Inspector",
        "Evaluator",
        "Report",
    )


def test_finished_stages_are_not_run_again(finished_run):
    import ml_metadata as mlmd
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(finished_run.root / "metadata.sqlite")
    store = mlmd.MetadataStore(config)
    complete: dict[str, int] = {}
    for context in store.get_contexts_by_type("node"):
        for execution in store.get_executions_by_context(context.id):
            if execution.last_known_state == metadata_store_pb2.Execution.COMPLETE:
                complete[context.name] = complete.get(context.name, 0) + 1
    # The resolvers look for baselines in every run; each stage that computes has ended exactly once.
    for resolver in ("Model", "ImageEncoder", "TextEncoder", "Recall"):
        complete.pop(f"adlens.LastBlessed{resolver}")
    assert complete == {
        f"adlens.{stage}": 1
        for stage in (
            "LogIngest",
            "StatisticsGen",
            "SchemaGen",
            "ExampleValidator",
            "ImageEncoder",
            "ImageEncoderEvaluator",
            "ImageEncoderPusher",
            "TextEncoder",
            "TextEncoderEvaluator",
            "TextEncoderPusher",
            "CatalogEmbedder",
            "MakeTrainer",
            "Transform",
            "CtrTrainer",
            "IdBaseline",
            "Evaluator",
            "Inspector",
            "Pusher",
            "RecallTrainer",
            "RecallEvaluator",
            "IndexBuilder",
            "RecallPusher",
            "Release",
            "Report",
        )
    }


def test_summary_accounts_for_every_row(finished_run):
    summary = json.loads((finished_run.root / "summary.json").read_text())
    logs = summary["logs"]
    for log in ("catalog", "impressions", "searches", "purchases"):
        assert logs[log] == logs["used"][log] + sum(logs["rejects"][log].values())
    assert sum(logs["splits"].values()) == logs["used"]["impressions"]
    groups = summary["ctr"]["groups"]
    assert sum(group["impressions"] for group in groups) == logs["splits"]["test"]
    assert 0.3 < summary["ctr"]["auc"] < 0.9
    computing = [stage for stage in summary["stages"] if not stage["name"].startswith("LastBlessed")]
    assert all(stage["seconds"] > 0 for stage in computing)
    named = {stage["name"] for stage in computing}
    assert {"LogIngest", "ImageEncoder", "CatalogEmbedder", "MakeTrainer", "IdBaseline", "Inspector"} <= named


def test_summary_compares_with_a_model_of_ids(finished_run):
    ctr = json.loads((finished_run.root / "summary.json").read_text())["ctr"]
    baseline = ctr["baseline"]
    assert (ctr["model"], baseline["model"]) == ("simtier_make", "id")
    assert baseline["impressions"] == ctr["impressions"]
    assert [group["group"] for group in baseline["groups"]] == [group["group"] for group in ctr["groups"]]
    for name in ("auc", "gauc", "logloss", "calibration"):
        # Two models, so two measurements.
        assert baseline[name] is not None and baseline[name] != ctr[name]
    inspected = (finished_run.root / "artifacts/Inspector/inspection").glob("*/inspection.json")
    (inspection,) = [json.loads(path.read_text()) for path in inspected]
    assert inspection["has_baseline"] and inspection["modalities"] == ["image", "text"]
    assert inspection["impressions"]


def test_summary_tells_of_the_encoders(finished_run):
    summary = json.loads((finished_run.root / "summary.json").read_text())
    pairs = summary["logs"]["query_pairs"]["test"]
    for modality in ("image", "text"):
        encoder = summary["encoder"][modality]
        assert 0 < encoder["pairs"] < pairs
        assert 0 <= encoder["acc@1"] <= encoder["acc@5"] <= 1
        assert summary["pushed"][f"{modality}_encoder"].startswith(f"serving/{modality}_encoder/")
    assert sum(summary["encoder"][modality]["pairs"] for modality in ("image", "text")) == pairs
    # Every simulated item has a picture and a title.
    embeddings = summary["embeddings"]
    assert (embeddings["items"], embeddings["image_coverage"], embeddings["text_coverage"]) == (150, 1.0, 1.0)


def test_pushed_encoders_give_the_catalogs_embeddings_without_this_project(finished_run, tmp_path):
    summary = json.loads((finished_run.root / "summary.json").read_text())
    catalog = pq.ParquetDataset(sorted((finished_run.logs / "catalog").glob("*.parquet"))).read()
    files = (finished_run.root / "artifacts/CatalogEmbedder/embeddings").glob("*/*.parquet")
    embeddings = pq.ParquetDataset(sorted(files)).read().to_pylist()
    by_item = {row["item_id"]: row for row in embeddings}
    assert sorted(by_item) == sorted(catalog["item_id"].to_pylist())
    inputs, expected = tmp_path / "inputs.parquet", tmp_path / "expected.npz"
    pq.write_table(catalog.slice(0, 7), inputs)
    item_ids = catalog["item_id"].to_pylist()[:7]
    np.savez(
        expected,
        **{name: [by_item[item][f"{name}_embedding"] for item in item_ids] for name in ("image", "text")},
    )
    pushed = [str(finished_run.root / summary["pushed"][f"{name}_encoder"]) for name in ("image", "text")]
    done = subprocess.run(
        [sys.executable, "-c", ENCODE_ELSEWHERE, *pushed, str(inputs), str(expected)],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_report_and_table_are_written(finished_run):
    page = (finished_run.root / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "AUC" in finished_run.output and "report.html" in finished_run.output


def test_pushed_model_scores_without_this_project(finished_run, tmp_path):
    pushed = json.loads((finished_run.root / "summary.json").read_text())["pushed"]["ctr"]
    records = next((finished_run.root / "artifacts/LogIngest/examples").glob("*/Split-test/examples-*"))
    done = subprocess.run(
        [sys.executable, "-c", SCORE_ELSEWHERE, str(finished_run.root / pushed), str(records)],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["behaviors"] > 0
    for candidate in scores["candidates"][1:4]:
        assert candidate == pytest.approx(scores["default"][0], abs=1e-5)
    for unseen in (scores["candidates"][0], scores["candidates"][4]):
        assert 0 < unseen < 1
        assert abs(unseen - scores["default"][0]) > 1e-6


def test_recall_is_pushed_with_its_index(finished_run):
    import tensorflow as tf

    from serving.retrieval.vector_index import VectorIndex

    summary = json.loads((finished_run.root / "summary.json").read_text())
    recall = summary["recall"]
    assert recall["blessed"] and recall["index_recall@K"] == 1.0 and recall["index"]["items"] == 150
    staged, all_clicks = recall["stages"]["staged"], recall["clicks"]
    assert staged["all"]["clicks"] == all_clicks > staged["long_tail"]["clicks"] > staged["new"]["clicks"]
    assert recall["click_recall@K"] == staged["all"]["click_recall"][str(recall["k"])]

    folder = finished_run.root / summary["pushed"]["recall"]
    index = VectorIndex.load(folder / "assets.extra" / "index")
    signatures = tf.saved_model.load(str(folder)).signatures
    item_ids, vectors = index.items()
    # Somebody nobody knows, whose last behavior is the first item.
    user = {name: tf.constant(["nobody"]) for name in ("user_id", "gender", "age_group", "city", "placement")}
    behaviors = {
        f"behavior_{name}": tf.constant([[value]])
        for name, value in (("item_id", item_ids[0]), ("category_id", ""), ("shop_id", ""))
    }
    new = {"new_item_id": tf.constant([], tf.string)}
    new |= {f"new_{modality}_embedding": tf.zeros([0, 32]) for modality in ("image", "text")}
    asked = signatures["serving_default"](**user, **behaviors, **new)["user_vector"].numpy()
    found, scores = index.search(asked, 10, blocked_ids=[[item_ids[0]]])
    allowed = np.argsort(-(vectors @ asked[0])[1:], kind="stable")[:10] + 1
    assert found[0] == item_ids[allowed].tolist()
    reordered = signatures["reorder"](
        behavior_item_id=behaviors["behavior_item_id"],
        item_id=tf.constant(found[0]),
        score=tf.constant(scores[0]),
        **new,
    )["score"].numpy()
    assert reordered.shape == (10,) and np.isfinite(reordered).all()


def test_what_was_pushed_is_released_for_serving(finished_run, tmp_path):
    from serving.embedding_index.embedding_files import encoder_fingerprint
    from serving.release.catalog import read_catalog
    from serving.release.release import Release

    summary = json.loads((finished_run.root / "summary.json").read_text())
    # All that serving needs lies below one folder, wherever that is taken to.
    folder = Path(shutil.copytree(finished_run.root / "serving", tmp_path / "serving"))
    release = Release.read(folder / "release.json")
    named = {"ctr": release.ctr, "recall": release.recall}
    named |= {f"{modality}_encoder": encoder for modality, encoder in release.encoders.items()}
    assert {name: f"serving/{name}/{model.version}" for name, model in named.items()} == summary["pushed"]
    assert (release.number, release.ctr.model, release.ctr.num_tiers) == (1, "simtier_make", 20)
    assert sum(len(items) for items, _ in read_catalog(release.catalog)) == summary["embeddings"]["items"]
    for modality, encoder in release.encoders.items():
        assert encoder_fingerprint(release.embeddings, modality) == encoder.fingerprint
    users = [user.user["user_id"] for user in release.sample_users]
    assert 5 < len(set(users)) == len(users) <= 20
    assert all(len(user.behaviors) >= 5 and "city" in user.user for user in release.sample_users)
    for name, model in named.items():
        version = folder / name / model.version
        assert (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
        assert (version / "batching_params.pbtxt").exists() == name.endswith("_encoder")


def test_serve_answers_over_the_run_and_takes_a_new_item(finished_run, tmp_path):
    catalog = pq.ParquetDataset(sorted((finished_run.logs / "catalog").glob("*.parquet"))).read()
    first = catalog.slice(0, 1).to_pylist()[0]
    stack = RunningStack(copy_root(finished_run.root, tmp_path / "root"))
    try:
        stack.start()
        client = stack.client()
        user, *_ = stack.sample_users()
        answer = client.post("/v1/recommend", {**user, "k": 10})
        assert answer.status == 200
        assert (answer.body["degraded"], answer.body["ranked_by"]) == ([], "ctr")
        ads = answer.body["ads"]
        assert len({ad["item_id"] for ad in ads}) == 10
        assert [ad["score"] for ad in ads] == sorted((ad["score"] for ad in ads), reverse=True)

        # The same picture and title under a new id: as near as can be to the item that has them.
        assert client.put_item("new", first["image"], first["title"]).status == 202
        stack.wait_for(lambda: client.get("/v1/items/new").body["recallable"], 60)
        for name, content in (("image", base64.b64encode(first["image"]).decode()), ("text", first["title"])):
            found = client.post("/v1/similar", {name: content, "k": 50}).body["items"]
            nearest = {each["item_id"]: each["similarity"] for each in found}
            assert nearest["new"] == pytest.approx(1, abs=1e-4)
            assert nearest["new"] == pytest.approx(nearest[first["item_id"]], abs=1e-4)
        answer = client.post("/v1/recommend", {**user, "k": 1, "explain": True, "also_rank": ["new"]})
        (ad,) = [ad for ad in answer.body["ads"] if ad["item_id"] == "new"]
        assert 0 < ad["score"] < 1
        assert ad["why"]["content"] == {"image": "index", "text": "index"}
    finally:
        stack.stop()


def test_beam_runner_gives_the_same_metrics(finished_run, tmp_path):
    # A run of IDs alone trains what a run with embeddings trains as its baseline.
    of_ids_alone = ("--set=modalities=[]", "--set=train_recall=false", "--set=ctr.integration=id")
    command = finished_run.command(tmp_path / "root", "--runner", "beam", *of_ids_alone)
    subprocess.run(command, check=True, timeout=600)
    expected = json.loads((finished_run.root / "summary.json").read_text())["ctr"]["baseline"]
    found = json.loads((tmp_path / "root" / "summary.json").read_text())["ctr"]
    for metric in ("auc", "gauc", "logloss", "calibration"):
        assert found[metric] == pytest.approx(expected[metric], abs=5e-4)


def test_compiled_containers_give_the_same_metrics(finished_run, tmp_path):
    from kfp_launcher import KfpLauncher

    from pipeline.cli import main

    root, yaml = tmp_path / "root", tmp_path / "pipeline.yaml"
    places = [f"--root={root}", f"--out={yaml}", "--image=adlens:tested", "--allow-tag"]
    assert main(["compile", *places, "--preset=tiny", "--set=image_encoder.augmentation=0"]) == 0
    launcher = KfpLauncher(yaml.read_text(), {"logs": str(finished_run.logs)}, tmp_path)
    launcher.run()
    expected, found = (json.loads((each / "summary.json").read_text()) for each in (finished_run.root, root))
    assert found["logs"] == expected["logs"]
    for name, figures in _figures(expected).items():
        assert _figures(found)[name] == pytest.approx(figures, abs=5e-4), name
    assert {stage["name"] for stage in found["stages"]} == {
        stage["name"] for stage in expected["stages"] if not stage["name"].startswith("LastBlessed")
    }
    assert found["pushed"].keys() == expected["pushed"].keys()
    for path in found["pushed"].values():
        assert (root / path / "saved_model.pb").is_file()
    assert json.loads((root / "serving" / "release.json").read_text())["release"] == 1


def _figures(summary):
    """The numbers by which models are judged."""
    ctr, recall = summary["ctr"], summary["recall"]
    names = ("auc", "gauc", "logloss", "calibration")
    return {
        "ctr": [ctr[name] for name in names],
        "baseline": [ctr["baseline"][name] for name in names],
        "groups": [group["logloss"] for group in ctr["groups"]],
        "recall": [recall[name] for name in ("click_recall@K", "long_tail_click_recall@K", "index_recall@K")],
        **{
            modality: [encoder[name] for name in ("acc@1", "acc@5", "pairs")]
            for modality, encoder in summary["encoder"].items()
        },
    }
