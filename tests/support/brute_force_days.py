"""What LogIngest must make of small logs day by day, worked out with loops and dictionaries.

Each day sees its own part of the logs alone, and what the days before made of theirs.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import brute_force
from brute_force import MINUTE, EmptySplit, Row, Settings


@dataclass
class Window:
    """A day's times in microseconds, as `IngestWindow` has them."""

    start: int | None
    train_end: int
    end: int
    pairs_start: int | None = None


@dataclass
class DayOutcome:
    """What LogIngest has to write for a day."""

    used: dict[str, list[Row]]
    examples: dict[str, list[Row]]
    item_stats: list[Row]
    pairs: dict[str, list[Row]]
    history: list[Row]


@dataclass
class Days:
    """Works out one day after another.

    Attributes:
        logs: by log, the rows of each file in the order of the files' names.
        settings: bounds and shares.
    """

    logs: dict[str, list[list[Row]]]
    settings: Settings
    clicks: list[Row] = field(default_factory=list)
    purchases: list[Row] = field(default_factory=list)
    shown: Counter = field(default_factory=Counter)
    clicked: Counter = field(default_factory=Counter)

    def run(self, window: Window) -> DayOutcome:
        """Works out a day.

        Raises:
            EmptySplit: the day or the next one has no impression, or the next one has them all in one minute.
        """
        settings = self.settings
        used = self.used(window)
        catalog = {row["item_id"]: row for row in used["catalog"]}
        impressions, purchases = used["impressions"], used["purchases"]
        today = [row for row in purchases if window.start is None or row["timestamp"] >= window.start]
        eval_end = self.eval_end(impressions, window)
        for row in impressions:
            if row["timestamp"] < window.train_end:
                self.shown[row["item_id"]] += 1
                self.clicked[row["item_id"]] += row["clicked"]
        stats = self.item_stats(catalog)
        groups = {row["item_id"]: row["frequency_group"] for row in stats}
        known = {"impressions": [*self.clicks, *impressions], "purchases": [*self.purchases, *today]}
        examples: dict[str, list[Row]] = {"train": [], "eval": [], "test": []}
        for row in sorted(impressions, key=lambda row: (row["timestamp"], row["impression_id"].encode())):
            split = brute_force.split_of(row["timestamp"], window.train_end, eval_end)
            examples[split].append(brute_force.example(row, known, catalog, groups, settings))
        self.clicks += [row for row in impressions if row["clicked"] and row["timestamp"] < window.train_end]
        self.purchases += [row for row in today if row["timestamp"] < window.train_end]
        return DayOutcome(used, examples, stats, self.pairs(used, catalog, window), self.history(window))

    def used(self, window: Window) -> dict[str, list[Row]]:
        """The rows of the window that can be used."""
        attribution = self.settings.window
        pairs_start = window.end if window.pairs_start is None else window.pairs_start - attribution
        starts = {
            "catalog": None,
            "impressions": window.start,
            "searches": pairs_start,
            "purchases": None if window.start is None else min(window.start, pairs_start),
        }

        def is_inside(log: str, row: Row) -> bool:
            time = row.get("created_at" if log == "catalog" else "timestamp")
            start = starts[log]
            return time is None or (time < window.end and (start is None or time >= start))

        def is_late(log: str, row: Row) -> bool:
            return (row.get("created_at" if log == "catalog" else "timestamp") or 0) >= window.train_end

        # Of two rows with one id a later day's never takes the place of one that trains, wherever they stand.
        inside = {
            log: [
                [row for row in rows if is_inside(log, row) and is_late(log, row) == late]
                for late in (False, True)
                for rows in files
            ]
            for log, files in self.logs.items()
        }
        used = {"catalog": brute_force.part("catalog", inside["catalog"], self.settings, None)[0]}
        catalog = {row["item_id"]: row for row in used["catalog"]}
        for log in ("impressions", "searches", "purchases"):
            used[log] = brute_force.part(log, inside[log], self.settings, catalog)[0]
        return used

    def eval_end(self, impressions: list[Row], window: Window) -> int:
        """The minute of the next day before which half of its impressions lie; the last one has to test."""
        following = [row["timestamp"] for row in impressions if row["timestamp"] >= window.train_end]
        minutes = sorted({time - time % MINUTE for time in following})
        if len(minutes) < 2 or len(following) == len(impressions):
            raise EmptySplit
        return first_with(0.5, following, minutes[:-1], minutes[-1])

    def item_stats(self, catalog: dict[str, Row]) -> list[Row]:
        """Counts of all days so far."""
        seen = [item for item in catalog if self.shown[item]]
        rarest_first = sorted(seen, key=lambda item: (self.shown[item], item.encode()))
        group = {item: 1 + 8 * rank // len(rarest_first) for rank, item in enumerate(rarest_first)}
        return [
            {
                "item_id": item,
                "impressions": self.shown[item],
                "clicks": self.clicked[item],
                "frequency_group": group.get(item, 9),
            }
            for item in sorted(catalog, key=str.encode)
        ]

    def pairs(
        self, used: dict[str, list[Row]], catalog: dict[str, Row], window: Window
    ) -> dict[str, list[Row]]:
        """Query pairs: two thirds of the purchases before the end of training train, the later ones evaluate."""
        if window.pairs_start is None:
            return {"train": [], "eval": [], "test": []}
        bought = [
            row["timestamp"]
            for row in used["purchases"]
            if window.pairs_start <= row["timestamp"] < window.train_end
        ]
        minutes = sorted({time - time % MINUTE for time in bought})
        cut = first_with(2 / 3, bought, minutes[:-1], minutes[-1]) if minutes else window.train_end
        return brute_force.query_pairs(
            used["searches"],
            used["purchases"],
            catalog,
            self.settings.window,
            cut,
            window.train_end,
            window.pairs_start,
        )[0]

    def history(self, window: Window) -> list[Row]:
        """Each user's last events before the end of training, by user and time."""
        events: dict[str, list[tuple[Any, ...]]] = {}
        for bought, rows in ((False, self.clicks), (True, self.purchases)):
            for row in rows:
                event = (row["timestamp"], bought, row["item_id"].encode(), row["item_id"])
                events.setdefault(row["user_id"], []).append(event)
        return [
            {"user_id": user, "item_id": item, "timestamp": time, "bought": bought}
            for user in sorted(events, key=str.encode)
            for time, bought, _, item in sorted(events[user])[-self.settings.max_behaviors :]
        ]


def first_with(share: float, moments: list[int], minutes: list[int], last: int) -> int:
    """The first of the minutes before which the share of the moments lies, else the last."""
    for minute in minutes:
        if sum(time < minute for time in moments) >= share * len(moments):
            return minute
    return last
