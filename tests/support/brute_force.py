"""What LogIngest must make of small logs, worked out with loops and dictionaries from the logs' contract.

It shares no code with `transforms`: no Arrow, no Beam, no numpy; times are whole microseconds.
"""

import io
import json
import math
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import Image, ImageOps

Row = dict[str, Any]

IDS = {
    "catalog": "item_id",
    "impressions": "impression_id",
    "searches": "search_id",
    "purchases": "purchase_id",
}
KEYS = {
    "catalog": ["item_id"],
    "impressions": ["impression_id", "user_id", "item_id"],
    "searches": ["search_id", "user_id"],
    "purchases": ["purchase_id", "user_id", "item_id"],
}
MINUTE = 60_000_000


class EmptySplit(Exception):
    """A split without a row: the run has to stop."""


@dataclass
class Settings:
    """The part of the configuration that the contract speaks of."""

    log_start: int
    log_end: int
    max_behaviors: int = 3
    train_fraction: float = 0.5
    eval_fraction: float = 0.25
    train_end: int | None = None
    eval_end: int | None = None
    window: int = 450_000_000
    max_image_bytes: int = 20_000_000
    max_image_pixels: int = 50_000_000
    user_features: dict[str, str] = field(default_factory=dict)  # column -> "id" or "number"
    item_features: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What LogIngest has to write."""

    used: dict[str, list[Row]]
    rejects: dict[str, set[tuple[int, int, str]]]  # (file, row, reason) by log
    examples: dict[str, list[Row]]
    item_stats: list[Row]
    pairs: dict[str, list[Row]]
    seen_in_train: int
    train_end: int
    eval_end: int


def ingest(logs: dict[str, list[list[Row]]], settings: Settings) -> Outcome:
    """Works everything out.

    Args:
        logs: by log, the rows of each file in the order of the files' names.
        settings: bounds and shares.
    Raises:
        EmptySplit: a split has no impression.
    """
    used: dict[str, list[Row]] = {}
    rejects: dict[str, set] = {}
    used["catalog"], rejects["catalog"] = part("catalog", logs["catalog"], settings, None)
    catalog = {row["item_id"]: row for row in used["catalog"]}
    for log in ("impressions", "searches", "purchases"):
        used[log], rejects[log] = part(log, logs[log], settings, catalog)
    train_end, eval_end = find_ends(used["impressions"], settings)
    splits = [split_of(row["timestamp"], train_end, eval_end) for row in used["impressions"]]
    for split in ("train", "eval", "test"):
        if split not in splits:
            raise EmptySplit(split)
    stats = item_stats(used["impressions"], catalog, train_end)
    groups = {row["item_id"]: row["frequency_group"] for row in stats}
    examples: dict[str, list[Row]] = {"train": [], "eval": [], "test": []}
    for row in sorted(used["impressions"], key=lambda row: (row["timestamp"], row["impression_id"].encode())):
        split = split_of(row["timestamp"], train_end, eval_end)
        examples[split].append(example(row, used, catalog, groups, settings))
    pairs, seen = query_pairs(
        used["searches"], used["purchases"], catalog, settings.window, train_end, eval_end
    )
    return Outcome(used, rejects, examples, stats, pairs, seen, train_end, eval_end)


def part(
    log: str, files: list[list[Row]], settings: Settings, catalog: dict[str, Row] | None
) -> tuple[list[Row], set[tuple[int, int, str]]]:
    """Parts used rows from rejects; of the usable rows of one id the first by file and row is used."""
    used, rejects, ids = [], set(), set()
    for file, rows in enumerate(files):
        for number, row in enumerate(rows):
            reason = problem(log, row, settings, catalog)
            if reason is None and row[IDS[log]] in ids:
                reason = "duplicate_id"
            if reason is None:
                ids.add(row[IDS[log]])
                used.append(row)
            else:
                rejects.add((file, number, reason))
    return used, rejects


def problem(log: str, row: Row, settings: Settings, catalog: dict[str, Row] | None) -> str | None:
    """The first reason for which a row by itself cannot be used."""
    for key in KEYS[log]:
        if row.get(key) in (None, ""):
            return "null_key"
    time = row.get("created_at") if log == "catalog" else row.get("timestamp")
    if time is None and log != "catalog":
        return "null_timestamp"
    if time is not None and not settings.log_start <= time <= settings.log_end:
        return "time_outside_log"
    if log == "impressions" and row.get("clicked") is None:
        return "null_label"
    if log == "searches" and not row.get("query_text") and not row.get("query_image"):
        return "no_query"
    picture = row.get({"catalog": "image", "searches": "query_image"}.get(log, ""))
    if picture is not None:
        if len(picture) > settings.max_image_bytes:
            return "oversized_image"
        try:
            with Image.open(io.BytesIO(picture), formats=["JPEG", "PNG", "WEBP"]) as image:
                if image.size[0] * image.size[1] > settings.max_image_pixels:
                    return "oversized_image"
                image.load()
        except (OSError, SyntaxError, struct.error):
            return "unreadable_image"
    if log in ("impressions", "purchases") and row["item_id"] not in (catalog or {}):
        return "unknown_item"
    features = {"catalog": settings.item_features, "impressions": settings.user_features}.get(log, {})
    for name, kind in features.items():
        if kind == "number" and row.get(name) is not None and not math.isfinite(row[name]):
            return "bad_feature"
    return None


def find_ends(impressions: list[Row], settings: Settings) -> tuple[int, int]:
    """The first whole minutes before which the wanted shares of the impressions lie."""
    if settings.train_end is not None and settings.eval_end is not None:
        return settings.train_end, settings.eval_end
    if not impressions:
        raise EmptySplit("train")
    minutes = sorted({row["timestamp"] - row["timestamp"] % MINUTE for row in impressions})

    def first_with(share: float) -> int:
        for minute in [*minutes, minutes[-1] + MINUTE]:
            if sum(row["timestamp"] < minute for row in impressions) >= share * len(impressions):
                return minute
        raise AssertionError("the end of the log has everything before it")

    train_share = settings.train_fraction
    return first_with(train_share), first_with(train_share + settings.eval_fraction)


def split_of(time: int, train_end: int, eval_end: int) -> str:
    """Training strictly before its end, evaluation strictly before its own, then testing."""
    if time < train_end:
        return "train"
    return "eval" if time < eval_end else "test"


def item_stats(impressions: list[Row], catalog: dict[str, Row], train_end: int) -> list[Row]:
    """Counts of the training days; the seen items in eight groups as equal as can be, 9 for the others."""
    shown: Counter = Counter()
    clicked: Counter = Counter()
    for row in impressions:
        if row["timestamp"] < train_end:
            shown[row["item_id"]] += 1
            clicked[row["item_id"]] += row["clicked"]
    rarest_first = sorted(shown, key=lambda item: (shown[item], item.encode()))
    group = {item: 1 + 8 * rank // len(rarest_first) for rank, item in enumerate(rarest_first)}
    return [
        {
            "item_id": item,
            "impressions": shown[item],
            "clicks": clicked[item],
            "frequency_group": group.get(item, 9),
        }
        for item in sorted(catalog, key=str.encode)
    ]


def behaviors(row: Row, impressions: list[Row], purchases: list[Row], max_behaviors: int) -> list[str]:
    """Items that the user clicked or bought strictly before; of one moment clicks first, then by item."""
    events = []
    for other in impressions:
        if other["clicked"]:
            events.append((other["timestamp"], 0, other["item_id"].encode(), other))
    for other in purchases:
        events.append((other["timestamp"], 1, other["item_id"].encode(), other))
    mine = [
        event
        for event in events
        if event[3]["user_id"] == row["user_id"] and event[3]["timestamp"] < row["timestamp"]
    ]
    mine.sort(key=lambda event: event[:3])
    return [event[3]["item_id"] for event in mine[-max_behaviors:]]


def example(
    row: Row, used: dict[str, list[Row]], catalog: dict[str, Row], groups: dict[str, int], settings: Settings
) -> Row:
    """An impression's example: lists of values by feature, none for a null; behaviors keep a place for one."""
    item = catalog[row["item_id"]]
    history = behaviors(row, used["impressions"], used["purchases"], settings.max_behaviors)
    values: Row = {
        "impression_id": row["impression_id"],
        "user_id": row["user_id"],
        "item_id": row["item_id"],
        "category_id": item["category_id"],
        "shop_id": item["shop_id"],
        "timestamp": row["timestamp"],
        "clicked": int(row["clicked"]),
        "item_frequency_group": groups[row["item_id"]],
    }
    for name in settings.user_features:
        values[name] = row.get(name)
    for name in settings.item_features:
        values[name] = item.get(name)
    lists = {name: [] if value is None else [value] for name, value in values.items()}
    for name in ("item_id", "category_id", "shop_id"):
        lists[f"behavior_{name}"] = [catalog[behavior][name] or "" for behavior in history]
    return lists


def attributed(purchase: Row, searches: list[Row], window: int) -> Row | None:
    """The search that a purchase belongs to."""
    if purchase.get("search_id") is not None:
        candidates = [search for search in searches if search["search_id"] == purchase["search_id"]]
    else:
        earlier = [
            search
            for search in searches
            if search["user_id"] == purchase["user_id"] and search["timestamp"] <= purchase["timestamp"]
        ]
        candidates = sorted(earlier, key=lambda search: (search["timestamp"], search["search_id"].encode()))[
            -1:
        ]
    for search in candidates:
        delay = purchase["timestamp"] - search["timestamp"]
        if search["user_id"] == purchase["user_id"] and 0 <= delay <= window:
            return search
    return None


def query_pairs(
    searches: list[Row],
    purchases: list[Row],
    catalog: dict[str, Row],
    window: int,
    train_end: int,
    eval_end: int,
    start: int | None = None,
) -> tuple[dict[str, list[Row]], int]:
    """Pairs of purchases from the start on by split, and how many of eval and test training has and were left out."""
    order = {"train": 0, "eval": 1, "test": 2}
    found = []
    for purchase in purchases:
        search = attributed(purchase, searches, window)
        if search is not None:
            found.append((split_of(purchase["timestamp"], train_end, eval_end), search, purchase))
    pairs: dict[str, list[Row]] = {"train": [], "eval": [], "test": []}
    for split, search, purchase in found:
        if start is not None and purchase["timestamp"] < start:
            continue
        # What is bought after the split's end is not known to it.
        bought = {
            other_purchase["item_id"]
            for other_split, other_search, other_purchase in found
            if other_search is search and order[other_split] <= order[split]
        }
        clicked = [
            item for item in search.get("clicked_item_ids") or [] if item in catalog and item not in bought
        ]
        pairs[split].append(
            {
                "search_id": search["search_id"],
                "purchase_id": purchase["purchase_id"],
                "timestamp": purchase["timestamp"],
                "query_text": search.get("query_text"),
                "query_image": search.get("query_image"),
                "positive_item_id": purchase["item_id"],
                "negative_item_id": clicked[0] if clicked else None,
            }
        )
    train_queries, train_items = set(), set()
    for pair in pairs["train"]:
        train_queries |= queries(pair)
        train_items |= item_pair(pair)
    seen = 0
    for split in ("eval", "test"):
        kept = []
        for pair in pairs[split]:
            if queries(pair) & train_queries:
                seen += 1
                continue
            kept.append(pair | {"negative_item_id": None} if item_pair(pair) & train_items else pair)
        pairs[split] = kept
    for found_pairs in pairs.values():
        for pair in found_pairs:
            for role in ("positive", "negative"):
                item = catalog.get(pair[f"{role}_item_id"], {})
                pair |= {f"{role}_title": item.get("title"), f"{role}_image": item.get("image")}
    return pairs, seen


def queries(pair: Row) -> set[tuple]:
    """(query, positive) by words and by picture."""
    return {
        (name, pair[name], pair["positive_item_id"]) for name in ("query_text", "query_image") if pair[name]
    }


def item_pair(pair: Row) -> set[frozenset]:
    """{positive, negative}, whichever is which."""
    if pair["negative_item_id"] is None:
        return set()
    return {frozenset((pair["positive_item_id"], pair["negative_item_id"]))}


def seen_pictures(row: Row, turns: bool) -> Row:
    """The row with its pictures as sizes and pixels, so that files of one picture are equal.

    Args:
        row: any row.
        turns: whether to turn a picture upright that says it should be.
    """
    return {name: pixels(value, turns) if isinstance(value, bytes) else value for name, value in row.items()}


def pixels(picture: bytes, turns: bool) -> tuple:
    """Size and RGB values."""
    with Image.open(io.BytesIO(picture)) as image:
        upright = ImageOps.exif_transpose(image) if turns else image
        return upright.size, upright.convert("RGB").tobytes()


def counts(outcome: Outcome, files: dict[str, list[str]], read: dict[str, int]) -> Row:
    """What counts.json has to say."""
    reasons: dict[str, Any] = {
        log: dict(Counter(r for _, _, r in found)) for log, found in outcome.rejects.items()
    }
    by_file: dict[str, Any] = defaultdict(lambda: defaultdict(Counter))
    for log, found in outcome.rejects.items():
        for file, _, reason in found:
            by_file[log][reason][files[log][file]] += 1
    return {
        "read": read,
        "used": {log: len(rows) for log, rows in outcome.used.items()},
        "rejects": reasons,
        "reject_files": json.loads(json.dumps(by_file)),
        "splits": {split: len(rows) for split, rows in outcome.examples.items()},
        "clicks": {split: sum(row["clicked"][0] for row in rows) for split, rows in outcome.examples.items()},
        "query_pairs": {split: len(rows) for split, rows in outcome.pairs.items()}
        | {"seen_in_train": outcome.seen_in_train},
        "boundaries": {"train_end": iso(outcome.train_end), "eval_end": iso(outcome.eval_end)},
    }


def iso(microseconds: int) -> str:
    """The time as text, to the second."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).isoformat(
        timespec="seconds"
    )


def rows_of(groups: Iterable[Iterable[Row]]) -> Iterator[Row]:
    """The rows of a file's row groups."""
    for group in groups:
        yield from group
