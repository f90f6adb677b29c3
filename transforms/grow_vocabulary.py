"""Appends new ids to a vocabulary."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from transforms.record_batches import concat

_SCHEMA = pa.schema([("id", pa.binary()), ("count", pa.int64())])


def new_ids(counts: Iterable[pa.RecordBatch], known: list[bytes], min_count: int) -> list[bytes]:
    """The ids that a vocabulary lacks, the most frequent first; of equal counts by their bytes.

    An empty id is a missing one, and one with a line break does not fit in a line of the vocabulary's file.

    Args:
        counts: batches of id (binary) and count (int64), each id once.
        known: the vocabulary.
        min_count: ids that came less often stay out.
    """
    rows = concat(counts, _SCHEMA)
    ids = rows.column("id")
    is_new = pc.and_not(
        pc.greater_equal(rows.column("count"), min_count),
        pc.is_in(ids, value_set=pa.array(known, pa.binary())),
    )
    is_line = pc.invert(pc.match_substring_regex(ids, r"[\r\n]"))
    fits = pc.and_(is_line, pc.greater(pc.binary_length(ids), 0))
    found = rows.filter(pc.and_(is_new, fits))
    order = pc.sort_indices(found, sort_keys=[("count", "descending"), ("id", "ascending")])
    return found.column("id").take(order).to_pylist()
