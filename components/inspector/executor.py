"""What the Inspector component does."""

import json
from typing import Any

import numpy as np
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.inspector.choice import Pick, pick_impressions
from components.inspector.config import InspectorConfig
from components.inspector.explanation import Vectors, compare, rank_behaviors
from components.inspector.impression_reader import ImpressionReader
from components.inspector.item_rows import read_item_rows
from components.report.thumbnail import thumbnail
from models.layers.sim_tier import SimTier
from transforms.configuration import from_json
from transforms.item_stats import NEW_ITEM_GROUP
from transforms.time_splits import SPLITS

INSPECTION_FILE = "inspection.json"
# As the evaluation names them.
NEW = "new"
# Shown at most 100 wide, and there are up to a hundred of them.
THUMBNAIL_SIDE = 128
MAX_TITLE_CHARACTERS = 300


class Executor(base_executor.BaseExecutor):
    """Picks impressions, and gathers what their predictions rest on."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `inspection.json`.

        Args:
            input_dict: `examples`, `catalog`, `model`, one artifact each; `embeddings`, `id_baseline`, at most one.
            output_dict: `inspection`, one artifact.
            exec_properties: `modalities` as a JSON list, `num_tiers`, and `config` as JSON.
        Raises:
            InputError: the test split has no file.
        """
        config = from_json(InspectorConfig, exec_properties["config"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        reader = ImpressionReader(artifact_utils.get_split_uri([examples], SPLITS[-1]), config.max_scanned)
        predictions = _predict(reader, artifact_utils.get_single_instance(input_dict["model"]))
        baselines = input_dict.get("id_baseline") or []
        baseline = _predict(reader, baselines[0]) if baselines else None
        columns = reader.read_columns()
        picks = pick_impressions(columns, _change(predictions, baseline), config.impressions, config.seed)
        shown = reader.take([pick.place for pick in picks])

        embeddings = input_dict.get("embeddings") or []
        modalities = json.loads(exec_properties["modalities"]) if embeddings else []
        vectors = _read_vectors(embeddings[0].uri, _item_ids(shown), modalities) if embeddings else {}
        tier = SimTier(exec_properties["num_tiers"])
        impressions = [
            _explain(impression, pick, predictions, baseline, vectors, tier, config.behaviors)
            for impression, pick in zip(shown, picks, strict=True)
        ]
        inspection = {
            "scanned": len(predictions),
            "click_rate": _mean(columns["clicked"]),
            "has_baseline": baseline is not None,
            "modalities": modalities,
            "num_tiers": tier.num_tiers,
            "impressions": impressions,
            "items": _read_items(artifact_utils.get_single_uri(input_dict["catalog"]), impressions),
        }
        _write(artifact_utils.get_single_uri(output_dict["inspection"]), inspection)


def _predict(reader: ImpressionReader, model: types.Artifact) -> np.ndarray:
    # In float64, so that JSON gives back what was compared.
    return reader.predict(path_utils.serving_model_path(model.uri)).astype(np.float64)


def _change(predictions: np.ndarray, baseline: np.ndarray | None) -> np.ndarray:
    """How far each is above what IDs alone say, or without that, above the mean."""
    if baseline is not None:
        return predictions - baseline
    return predictions - (_mean(predictions) or 0.0)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _item_ids(impressions: list[dict[str, Any]]) -> set[str]:
    return {item for row in impressions for item in (row["item_id"], *row["behavior_item_ids"])}


def _read_vectors(folder: str, item_ids: set[str], modalities: list[str]) -> Vectors:
    columns = {modality: f"{modality}_embedding" for modality in modalities}
    rows = read_item_rows(folder, item_ids, list(columns.values()))
    return {
        modality: {item: np.array(row[column], np.float32) for item, row in rows.items() if row[column]}
        for modality, column in columns.items()
    }


def _explain(
    impression: dict[str, Any],
    pick: Pick,
    predictions: np.ndarray,
    baseline: np.ndarray | None,
    vectors: Vectors,
    tier: SimTier,
    behaviors: int,
) -> dict[str, Any]:
    item, sequence, group = (
        impression[name] for name in ("item_id", "behavior_item_ids", "item_frequency_group")
    )
    return {
        "impression_id": impression["impression_id"],
        "item_id": item,
        "clicked": impression["clicked"],
        "group": NEW if group == NEW_ITEM_GROUP else group,
        "picked": pick.reason,
        "prediction": float(predictions[pick.place]),
        "baseline_prediction": None if baseline is None else float(baseline[pick.place]),
        "num_behaviors": len(sequence),
        "num_behavior_items": len(set(sequence)),
        "modalities": compare(item, sequence, vectors, tier),
        "behaviors": rank_behaviors(item, sequence, vectors, behaviors),
    }


def _read_items(folder: str, impressions: list[dict[str, Any]]) -> dict[str, dict[str, str | None]]:
    """Title and small picture of each item that is shown; none of one that the catalog does not have."""
    wanted = {row["item_id"] for row in impressions}
    wanted |= {behavior["item_id"] for row in impressions for behavior in row["behaviors"]}
    rows = read_item_rows(folder, wanted, ("title", "image"))
    return {
        item: {
            "title": row["title"][:MAX_TITLE_CHARACTERS] if row["title"] else None,
            "picture": thumbnail(row["image"], THUMBNAIL_SIDE),
        }
        for item, row in sorted(rows.items())
    }


def _write(uri: str, inspection: dict[str, Any]) -> None:
    fileio.makedirs(uri)
    with fileio.open(f"{uri}/{INSPECTION_FILE}", "wb") as stream:
        stream.write(json.dumps(inspection, indent=1, ensure_ascii=False, allow_nan=False).encode())
