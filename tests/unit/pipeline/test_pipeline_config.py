from pathlib import Path

import pytest

from pipeline.config import RunConfig, override, parse_settings, read_yaml
from transforms.feature import Feature
from transforms.input_error import InputError


def test_settings_are_nested_and_typed() -> None:
    settings = [
        "ctr.batch_size=256",
        "ctr.learning_rate=1e-3",
        "ingest.max_behaviors=5",
        "evaluator.gate=auc",
    ]
    values = parse_settings(settings)
    assert values == {
        "ctr": {"batch_size": 256, "learning_rate": 0.001},
        "ingest": {"max_behaviors": 5},
        "evaluator": {"gate": "auc"},
    }
    config = override(RunConfig(), values)
    assert (config.ctr.batch_size, config.ctr.learning_rate, config.ingest.max_behaviors) == (256, 0.001, 5)


def test_the_last_of_equal_settings_holds() -> None:
    assert parse_settings(["a.b=1", "a.c=2", "a.b=3"]) == {"a": {"b": 3, "c": 2}}


def test_a_value_may_have_equals_and_be_empty_or_a_list() -> None:
    assert parse_settings(["a=b=c", "d=", "e=[1, 2]"]) == {"a": "b=c", "d": "", "e": [1, 2]}


@pytest.mark.parametrize("text", ["2024-01-31", "2024-01-31T00:00:00+00:00", "2024-01-31 12:30:00"])
def test_a_time_stays_the_text_that_was_given(text: str) -> None:
    values = parse_settings([f"ingest.train_end={text}", "ingest.eval_end=2024-03-01"])
    assert override(RunConfig(), values).ingest.train_end == text


def test_a_number_in_scientific_notation_is_one() -> None:
    assert parse_settings(["a=1e-3", "b=2E+4", "c=-1.5e2", "d=1e3x"]) == {
        "a": 0.001,
        "b": 20_000.0,
        "c": -150.0,
        "d": "1e3x",
    }


@pytest.mark.parametrize("setting", ["ctr.batch_size", "=5", ""])
def test_a_setting_without_key_or_value(setting: str) -> None:
    with pytest.raises(InputError, match="--set expects key=value, got"):
        parse_settings([setting])


def test_a_setting_that_is_no_yaml() -> None:
    with pytest.raises(InputError, match="--set ctr.mlp_units: '.1, 2' is no YAML value"):
        parse_settings(["ctr.mlp_units=[1, 2"])


def test_features_are_replaced_as_a_whole() -> None:
    features = [{"name": "price", "kind": "numeric", "side": "item"}, {"name": "city"}]
    config = override(RunConfig(), {"ingest": {"features": features}})
    assert config.ingest.features == (Feature("price", kind="numeric", side="item"), Feature("city"))


def test_what_is_not_named_keeps_its_value() -> None:
    first = override(RunConfig(), {"ctr": {"batch_size": 7}})
    second = override(first, {"ctr": {"epochs": 2}})
    assert (second.ctr.batch_size, second.ctr.epochs) == (7, 2)
    assert second.ingest == RunConfig().ingest


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ingset": {}}, "unknown key ingset; did you mean ingest?"),
        ({"ingest": {"max_behaviours": 5}}, "unknown key ingest.max_behaviours; did you mean max_behaviors?"),
        (
            {"ingest": {"features": [{"nmae": "x"}]}},
            "unknown key ingest.features[0].nmae; did you mean name?",
        ),
        ({"ctr": None}, "ctr must be a mapping"),
        ({"ctr": {"batch_size": 0}}, "ctr.batch_size must be at least 1, got 0"),
        ({"ctr": {"mlp_units": []}}, "ctr.mlp_units"),
        ({"evaluator": {"gate": "logloss"}}, "evaluator.gate must be gauc or auc, got 'logloss'"),
        ({"recall": {"fuson": "id"}}, "unknown key recall.fuson; did you mean fusion?"),
        ({"recall": {"fusion": "sum"}}, "recall.fusion must be one of id, content, feature, output, "),
        ({"recall_evaluator": {"k": 0}}, "recall_evaluator.k must be at least 1, got 0"),
        ({"index": {"min_recall": 1.5}}, "index.min_recall must be above 0 and at most 1, got 1.5"),
        ({"validation": {"skew_threshold": 0}}, "validation.skew_threshold must lie in (0, 1], got 0"),
    ],
)
def test_mistakes_are_named(values: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        override(RunConfig(), values)
    assert words in str(caught.value)


def test_whose_embeddings_enter_the_model() -> None:
    assert RunConfig().ctr_modalities == ("image", "text")
    assert override(RunConfig(), {"modalities": ["text"]}).ctr_modalities == ("text",)
    values = parse_settings(["ctr.modalities=[image]", "make.epochs=0"])
    config = override(RunConfig(), values)
    # Both encoders are trained, one of them for the model.
    assert (config.modalities, config.ctr_modalities) == (("image", "text"), ("image",))
    assert (config.ctr.modalities, config.make.epochs) == (("image",), 0)


def test_a_model_of_ids_needs_no_modality(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("modalities: []\nctr:\n  integration: id\nrecall:\n  fusion: id\n")
    config = override(RunConfig(), read_yaml(str(path)))
    assert (config.modalities, config.ctr_modalities, config.recall_modalities) == ((), (), ())
    # With encoders beside it, its own embeddings are still none.
    assert override(RunConfig(), parse_settings(["ctr.integration=id"])).ctr_modalities == ()


@pytest.mark.parametrize("own", [None, [], ["image"]], ids=["all", "none", "image"])
def test_content_without_modalities(own: list[str] | None) -> None:
    with pytest.raises(InputError) as caught:
        override(RunConfig(), {"modalities": [], "ctr": {"modalities": own}, "train_recall": False})
    said = str(caught.value)
    if own:
        assert said == "ctr.modalities names 'image', which modalities () lacks"
    else:
        assert said == (
            "ctr.integration simtier_make needs embeddings, but no modality is named; "
            "name one, or set ctr.integration to id"
        )


@pytest.mark.parametrize("integration", ["vector", "simscore", "simtier", "make", "simtier_make"])
def test_every_integration_with_content_needs_a_modality(integration: str) -> None:
    with pytest.raises(InputError, match=f"ctr.integration {integration} needs embeddings, but no modality"):
        override(RunConfig(), {"ctr": {"integration": integration, "modalities": []}})


def test_whose_embeddings_enter_the_model_of_recall() -> None:
    assert RunConfig().recall_modalities == ("image", "text")
    assert override(RunConfig(), {"modalities": ["text"]}).recall_modalities == ("text",)
    assert override(RunConfig(), {"recall": {"modalities": ["image"]}}).recall_modalities == ("image",)
    assert override(RunConfig(), {"recall": {"fusion": "id"}}).recall_modalities == ()


@pytest.mark.parametrize(
    "fusion", ["content", "feature", "output", "conditional_output", "feature_conditional_output"]
)
@pytest.mark.parametrize(
    "values", [{"modalities": []}, {"recall": {"modalities": []}}], ids=["run", "recall"]
)
def test_every_fusion_with_content_needs_a_modality(fusion: str, values: dict) -> None:
    own = {"ctr": {"integration": "id"}, **values}
    own["recall"] = {"fusion": fusion, **values.get("recall", {})}
    with pytest.raises(InputError) as caught:
        override(RunConfig(), own)
    assert str(caught.value) == (
        f"recall.fusion {fusion} needs embeddings, but no modality is named; "
        "name one, set recall.fusion to id, or train_recall to false"
    )
    # What is not trained needs nothing.
    assert not override(RunConfig(), {**own, "train_recall": False}).train_recall
    assert override(RunConfig(), {**own, "recall": {"fusion": "id"}}).recall_modalities == ()


def test_recall_by_embeddings_of_a_modality_that_the_run_lacks() -> None:
    with pytest.raises(
        InputError, match=r"recall.modalities names 'image', which modalities \(text\) lacks$"
    ):
        override(RunConfig(), {"modalities": ["text"], "recall": {"modalities": ["image"]}})


def test_embeddings_of_a_modality_that_the_run_lacks() -> None:
    for integration in (
        "simtier_make",
        "id",
    ):  # an experiment over IDs' configuration has models with content
        values = {
            "modalities": ["image"],
            "ctr": {"integration": integration, "modalities": ["image", "text"]},
        }
        with pytest.raises(
            InputError, match=r"ctr.modalities names 'text', which modalities \(image\) lacks$"
        ):
            override(RunConfig(), values)


def test_yaml_files(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("ctr:\n  batch_size: 64\ningest:\n  train_end: 2024-01-31\n")
    assert read_yaml(str(path)) == {"ctr": {"batch_size": 64}, "ingest": {"train_end": "2024-01-31"}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must hold keys and values, got NoneType"),
        (b"- 1\n- 2\n", "must hold keys and values, got list"),
        (b"a: [1, 2\nb: 3\n", "is no YAML"),
        (b"\xff\xfe\x00\x01", "is no YAML"),
        (b"a: !!python/object/apply:os.getcwd []", "is no YAML"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_yaml(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent.yaml cannot be read: No such file"):
        read_yaml(str(tmp_path / "absent.yaml"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_yaml(str(tmp_path))
