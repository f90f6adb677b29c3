"""What the CatalogEmbedder component does."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.catalog_embedder.blessed_encoder import blessed_encoder
from components.catalog_embedder.config import EmbedderConfig
from components.catalog_embedder.embed_catalog import EmbedCatalog
from components.catalog_embedder.modality import MODALITIES
from components.catalog_embedder.previous_embeddings import find_previous, write_pointer
from transforms.configuration import from_json
from transforms.input_error import InputError
from transforms.log_counts import COUNTS_FILE
from transforms.read_parquet import find_parquet


class Executor(base_beam_executor.BaseBeamExecutor):
    """Runs `EmbedCatalog`, looks at what came out of it, and remembers where it is."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the embeddings.

        Args:
            input_dict: `catalog`; for each modality `<modality>_model` and `<modality>_blessing`, or neither;
                `<modality>_baseline`, which may be empty.
            output_dict: `embeddings`.
            exec_properties: `config`, as JSON, and `cache`.
        Raises:
            InputError: there is no blessed encoder, or too many items cannot be encoded.
        """
        config = from_json(EmbedderConfig, exec_properties["config"])
        encoders = {
            modality.name: blessed_encoder(
                modality,
                candidates=input_dict[f"{modality.name}_model"],
                blessings=input_dict[f"{modality.name}_blessing"],
                baselines=input_dict.get(f"{modality.name}_baseline", []),
            )
            for modality in MODALITIES
            if input_dict.get(f"{modality.name}_model")
        }
        catalog = find_parquet(f"{artifact_utils.get_single_uri(input_dict['catalog'])}/catalog-*.parquet")
        previous = find_previous(exec_properties["cache"])
        uri = artifact_utils.get_single_uri(output_dict["embeddings"])
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | "EmbedCatalog" >> EmbedCatalog(catalog, encoders, previous, config, uri)
        with fileio.open(f"{uri}/{COUNTS_FILE}", "rb") as stream:
            check_counts(json.loads(stream.read()), config)
        write_pointer(exec_properties["cache"], uri)


def check_counts(counts: dict, config: EmbedderConfig) -> None:
    """Stops where an encoder could not read too many of the items.

    Raises:
        InputError: more rejects of a modality than `max_reject_fraction` allows.
    """
    contents = {"image": counts["with_image"], "text": counts["with_title"]}
    for name, rejects in counts["rejects"].items():
        rejected = sum(rejects.values())
        if rejected > config.max_reject_fraction * contents[name]:
            raise InputError(
                f"the {name} encoder cannot encode {rejected:,} of {contents[name]:,} items "
                f"({', '.join(f'{reason} {count:,}' for reason, count in rejects.items())}), more than "
                f"embedder.max_reject_fraction {config.max_reject_fraction:g} allows"
            )
