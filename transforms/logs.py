"""The four logs: their columns and types, the contract with the user.

Times are `timestamp[us, UTC]`. Extra columns are allowed; those that a `Feature` names are read.
"""

from dataclasses import dataclass

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class LogSpec:
    """One log's contract.

    Attributes:
        name: the folder below LOGS and the word used in summaries.
        schema: the required columns with their Arrow types.
        id_column: the column whose values are unique.
        keys: columns that must not be null (nor empty).
        time_column: the column that says when.
    """

    name: str
    schema: pa.Schema
    id_column: str
    keys: tuple[str, ...]
    time_column: str = "timestamp"


CATALOG = LogSpec(
    name="catalog",
    schema=pa.schema(
        [
            ("item_id", pa.string()),
            ("category_id", pa.string()),
            ("shop_id", pa.string()),
            ("title", pa.string()),
            ("image", pa.binary()),
            ("created_at", TIMESTAMP),
        ]
    ),
    id_column="item_id",
    keys=("item_id",),
    time_column="created_at",
)

IMPRESSIONS = LogSpec(
    name="impressions",
    schema=pa.schema(
        [
            ("impression_id", pa.string()),
            ("user_id", pa.string()),
            ("item_id", pa.string()),
            ("timestamp", TIMESTAMP),
            ("clicked", pa.bool_()),
        ]
    ),
    id_column="impression_id",
    keys=("impression_id", "user_id", "item_id"),
)

SEARCHES = LogSpec(
    name="searches",
    schema=pa.schema(
        [
            ("search_id", pa.string()),
            ("user_id", pa.string()),
            ("timestamp", TIMESTAMP),
            ("query_text", pa.string()),
            ("query_image", pa.binary()),
            ("clicked_item_ids", pa.list_(pa.string())),
        ]
    ),
    id_column="search_id",
    keys=("search_id", "user_id"),
)

PURCHASES = LogSpec(
    name="purchases",
    schema=pa.schema(
        [
            ("purchase_id", pa.string()),
            ("user_id", pa.string()),
            ("item_id", pa.string()),
            ("timestamp", TIMESTAMP),
            ("search_id", pa.string()),
        ]
    ),
    id_column="purchase_id",
    keys=("purchase_id", "user_id", "item_id"),
)

LOGS = (CATALOG, IMPRESSIONS, SEARCHES, PURCHASES)
