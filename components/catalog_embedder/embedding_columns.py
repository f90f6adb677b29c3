"""The columns of the embeddings."""

import pyarrow as pa

from components.catalog_embedder.encoded_items import VECTOR
from components.catalog_embedder.modality import MODALITIES, Modality


def modality_fields(modality: Modality) -> list[pa.Field]:
    """A modality's columns: vector, mask, hash of what was encoded, and fingerprint of the encoder."""
    return [
        pa.field(f"{modality.name}_embedding", VECTOR),
        pa.field(f"has_{modality.name}", pa.bool_()),
        pa.field(f"{modality.name}_hash", pa.int64()),
        pa.field(f"{modality.name}_encoder", pa.string()),
    ]


EMBEDDINGS_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string()),
        *(field for modality in MODALITIES for field in modality_fields(modality)),
    ]
)
