"""The columns that vectors have on their way from an encoder, or from the last run, to their items."""

import pyarrow as pa

# Not of fixed size: Parquet as Arrow 18 writes it has no nulls among lists of fixed size.
VECTOR = pa.list_(pa.float32())

# Item, hash of what was encoded, its vector, and the reason where there is no vector.
ENCODED_SCHEMA = pa.schema(
    [("item_id", pa.string()), ("content_hash", pa.int64()), ("embedding", VECTOR), ("reason", pa.string())]
)
