from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.encoder.titled_images import count_titled_images, read_titled_images, read_training_items

DAY = 86_400_000_000
# item_id, title, image, created_at; items are to be created before day 10.
ITEMS = [
    ("old", "red shoe", b"1", 3 * DAY),
    ("last moment", "blue shoe", b"2", 10 * DAY - 1),
    ("at the end", "green hat", b"3", 10 * DAY),
    ("later", "wool scarf", b"4", 11 * DAY),
    ("of unknown age", "coat", b"5", None),
    ("without title", None, b"6", 3 * DAY),
    ("blank title", " \t ", b"7", 3 * DAY),
    ("without picture", "umbrella", None, 3 * DAY),
    ("empty picture", "umbrella", b"", 3 * DAY),
    ("first of all", "glasses", b"8", -DAY),
]
USABLE = ["old", "last moment", "first of all"]


def write_catalog(folder: Path, items: list[tuple]) -> list[str]:
    schema = pa.schema(
        [
            ("item_id", pa.string()),
            ("title", pa.string()),
            ("image", pa.binary()),
            ("created_at", pa.timestamp("us", tz="UTC")),
        ]
    )
    names = [field.name for field in schema]
    files = []
    for number, part in enumerate((items[::2], items[1::2])):
        table = pa.Table.from_pylist([dict(zip(names, item, strict=True)) for item in part], schema)
        files.append(str(folder / f"catalog-{number}.parquet"))
        pq.write_table(table, files[-1])
    return files


def test_old_items_with_title_and_picture_are_read(tmp_path: Path) -> None:
    files = write_catalog(tmp_path, ITEMS)
    batches = read_titled_images(files, 10 * DAY)
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert sorted(row["item_id"] for row in rows) == sorted(USABLE)
    assert {"item_id": "old", "title": "red shoe", "image": b"1"} in rows
    assert count_titled_images(files, 10 * DAY) == 3
    assert count_titled_images(files, -DAY) == 0


def test_training_items_go_on_without_end_and_keep_title_and_picture_together(tmp_path: Path) -> None:
    files = write_catalog(tmp_path, ITEMS)

    def take(seed: int) -> list[dict]:
        items = read_training_items(files, 10 * DAY, shuffle_buffer=8, seed=seed)
        return list(items.take(30).as_numpy_iterator())

    found = take(1)
    assert {(row["text"], row["image"]) for row in found} == {
        (b"red shoe", b"1"),
        (b"blue shoe", b"2"),
        (b"glasses", b"8"),
    }
    # Ten passes over three items.
    texts = [row["text"] for row in found]
    assert [texts.count(text) for text in sorted(set(texts))] == [10, 10, 10]
    assert len({row["item_id"] for row in found}) == 3
    assert [row["text"] for row in take(1)] == texts
    assert [row["text"] for row in take(2)] != texts
