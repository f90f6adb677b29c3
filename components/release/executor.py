"""What the Release component does."""

import json
import logging
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.release.config import ReleaseConfig
from components.release.item_files import ItemFiles
from components.release.pushed_models import PushedModels, find_models
from components.release.sample_users import read_sample_users
from serving.embedding_index.embedding_files import encoder_fingerprint
from serving.release.release import MODALITIES, RELEASE_FILE, Release
from transforms.configuration import from_json
from transforms.feature import model_features
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError
from transforms.time_splits import SPLITS

RESULT_FILE = "result.json"

_LOG = logging.getLogger(__name__)


class Executor(base_executor.BaseExecutor):
    """Releases what was pushed, if it fits together."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `release.json` with its items, or leaves the last release; `result.json` says which and why.

        Args:
            input_dict: `examples`, `catalog`, `pushed_ctr`, one artifact each; at most one `embeddings`,
                `pushed_recall` and of each encoder, `pushed_<modality>_encoder`. Of those pushed it counts alone
                which there are: the versions are those in the models' folders, also of earlier runs.
            output_dict: `release`, one artifact.
            exec_properties: `serving`, and `ingest` and `config` as JSON.
        """
        serving = Path(exec_properties["serving"])
        embeddings = input_dict["embeddings"][0].uri if input_dict.get("embeddings") else None
        number, reason = None, None
        try:
            fingerprints = {
                modality: encoder_fingerprint(str(embeddings), modality)
                for modality in MODALITIES
                if input_dict.get(f"pushed_{modality}_encoder")
            }
            models = find_models(serving, fingerprints, bool(input_dict.get("pushed_recall")))
            number = _release(serving, models, input_dict, embeddings, exec_properties)
            _LOG.info("Release %d is in %s", number, serving / RELEASE_FILE)
        except InputError as error:
            reason = str(error)
            _LOG.warning("Nothing is released, the last release stays: %s", reason)
        folder = artifact_utils.get_single_uri(output_dict["release"])
        fileio.makedirs(folder)
        with fileio.open(f"{folder}/{RESULT_FILE}", "wb") as stream:
            stream.write(json.dumps({"release": number, "reason": reason}, indent=2).encode())


def _release(
    serving: Path,
    models: PushedModels,
    input_dict: dict[str, list[types.Artifact]],
    embeddings: str | None,
    exec_properties: dict[str, Any],
) -> int:
    """Brings everything into its place, `release.json` last; the release's number."""
    file = serving / RELEASE_FILE
    items = ItemFiles(serving, 1 + Release.read(file).number if file.exists() else 1)
    items.clear()
    examples = artifact_utils.get_single_instance(input_dict["examples"])
    features = model_features(from_json(IngestConfig, exec_properties["ingest"]).features)
    release = Release(
        number=items.number,
        ctr=models.ctr,
        recall=models.recall,
        encoders=models.encoders,
        catalog=items.take("catalog", artifact_utils.get_single_uri(input_dict["catalog"])),
        embeddings=None if embeddings is None else items.take("embeddings", embeddings),
        sample_users=read_sample_users(
            artifact_utils.get_split_uri([examples], SPLITS[-1]),
            [feature.name for feature in features if feature.side == "user"],
            from_json(ReleaseConfig, exec_properties["config"]).sample_users,
        ),
    )
    release.write(file)
    items.drop_old()
    return items.number
