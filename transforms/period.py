"""A span of time that rows are read of."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Period:
    """A half-open span of time; a row without a time lies in every one.

    Attributes:
        start: microseconds since 1970-01-01 UTC; None: from the beginning.
        end: microseconds; strictly after all that lies inside. An end that is the start leaves nothing.
    """

    start: int | None
    end: int

    def meets(self, times: tuple[int, int] | None) -> bool:
        """Whether rows may lie inside, of which the first and the last time are known, or nothing (None)."""
        if self.end == self.start:
            return False
        return times is None or (times[0] < self.end and (self.start is None or times[1] >= self.start))

    def covers(self, column: pa.Array) -> np.ndarray:
        """Which times lie inside. Bool `[n]` of timestamps `[n]`."""
        moments = column.cast(pa.int64())
        inside = pc.less(moments, self.end)
        if self.start is not None:
            inside = pc.and_(inside, pc.greater_equal(moments, self.start))
        return pc.fill_null(inside, True).to_numpy(zero_copy_only=False)
