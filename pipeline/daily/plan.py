"""What a day's run has to do, by what came of the days before."""

import datetime

from components.report.day_record import PUSHED
from pipeline.daily.config import DailyConfig
from pipeline.daily.day import Day
from pipeline.daily.ledger import Ledger
from transforms.input_error import InputError

_ONE_DAY = datetime.timedelta(days=1)


def plan_day(root: str, date: datetime.date, config: DailyConfig) -> Day:
    """Plans a day by the ledger.

    A day that was run before is planned as it was then: what counts is what came before it.

    Args:
        root: ROOT, a folder or a URI.
        date: the day.
        config: how often encoders are trained.
    Returns:
        The day. It is a first one, which begins from nothing, until one has been pushed.
    Raises:
        InputError: the day before it was left out, or it lies before the first day of ROOT.
    """
    records = Ledger(root).read()
    before = {past: record for past, record in records.items() if past < date}
    if records and not before and date not in records:
        raise InputError(
            f"the days of {root} begin with {min(records)}; a day before it, {date}, needs a ROOT of its own"
        )
    if before and max(before) != date - _ONE_DAY:
        missing, last = max(before) + _ONE_DAY, date - _ONE_DAY
        span = f"{missing}" if missing == last else f"{missing}..{last}"
        raise InputError(f"{date} goes on from the day before it; run --date {span} first")
    first = all(record["status"] != PUSHED for record in before.values())
    return Day(date, first, first or _is_due(before, date, config))


def parse_dates(text: str) -> list[datetime.date]:
    """Reads a date, or the first and the last of several days as `A..B`.

    Raises:
        InputError: it is neither.
    """
    first, dots, last = text.partition("..")
    try:
        days = [datetime.date.fromisoformat(part) for part in ((first, last) if dots else (first,))]
    except ValueError:
        raise InputError(
            f"--date must be a day such as 2024-01-31, or A..B of two days, got {text!r}"
        ) from None
    count = (days[-1] - days[0]).days + 1
    if count < 1:
        raise InputError(f"--date {text}: the last day must not come before the first")
    return [days[0] + _ONE_DAY * place for place in range(count)]


def _is_due(before: dict, date: datetime.date, config: DailyConfig) -> bool:
    trained = [past for past, record in before.items() if record["trains_encoders"]]
    return not trained or (date - max(trained)).days >= config.encoder_every_days
