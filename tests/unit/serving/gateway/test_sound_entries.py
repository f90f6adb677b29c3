"""Reads that meet a broken entry."""

from collections.abc import Sequence

import pytest

from serving.embedding_index.errors import CorruptEntry, IndexUnavailable
from serving.gateway.sound_entries import read_sound


def test_a_broken_entry_costs_itself_alone(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[list[str]] = []

    def read(item_ids: Sequence[str]) -> list[str | None]:
        asked.append(list(item_ids))
        if "broken" in item_ids:
            raise CorruptEntry("item 'broken': expected so many bytes")
        return [None if each == "unknown" else each.upper() for each in item_ids]

    assert read_sound(read, ["a", "unknown"]) == ["A", None]
    assert asked == [["a", "unknown"]]
    assert read_sound(read, ["a", "broken", "b"]) == ["A", None, "B"]
    assert [record.message for record in caplog.records] == ["item 'broken': expected so many bytes"]
    assert read_sound(read, []) == []


def test_an_outage_is_no_broken_entry() -> None:
    def read(_: Sequence[str]) -> list[str | None]:
        raise IndexUnavailable("gone")

    with pytest.raises(IndexUnavailable):
        read_sound(read, ["a", "b"])
