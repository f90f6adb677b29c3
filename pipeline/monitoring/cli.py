"""The command line of alerts. It reads one small file, so that it answers at once."""

import argparse
import sys
from collections.abc import Collection, Iterable

from components.monitoring.alert import KINDS, Alert

# What a command ends with that found something to look at: neither success nor a mistake of the user's.
ALERT_STATUS = 3
STALE = "stale"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `run` reads."""
    parser.add_argument("--root", required=True, help="the folder that the run was given")
    parser.add_argument("--date", help="a day that was run, such as 2024-01-31; the last run by default")
    parser.add_argument(
        "--only", nargs="+", choices=KINDS, default=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}"
    )
    parser.add_argument(
        "--max-age-hours",
        type=float,
        metavar="H",
        help="one alert more where the run is older than this: a run that never started cannot alert",
    )
    parser.add_argument("--alertmanager", metavar="URL", help="post them to this Alertmanager too")
    parser.add_argument(
        "--resolve-hours",
        type=float,
        default=26.0,
        metavar="H",
        help="Alertmanager takes an alert for over that is not posted again so long",
    )


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """Adds `--alert` to a command that runs the pipeline."""
    parser.add_argument(
        "--alert",
        nargs="*",
        choices=KINDS,
        metavar="KIND",
        help=f"end with status {ALERT_STATUS} where there is one of {', '.join(KINDS)} (all by default)",
    )


def run(options: argparse.Namespace) -> int:
    """Says the alerts of a run. Returns 3 where there are any, 0 where there are none.

    Raises:
        InputError: there is no such run, its files are damaged, or Alertmanager does not take them.
    """
    from pipeline.monitoring.alertmanager import post_alerts
    from pipeline.monitoring.stored_alerts import age_hours, read_alerts

    alerts = [alert for alert in read_alerts(options.root, options.date) if alert.kind in options.only]
    shown = [(alert.kind, alert.subject, alert.text) for alert in alerts]
    age = age_hours(options.root, options.date)
    if options.max_age_hours is not None and age > options.max_age_hours:
        text = f"the last run ended {age:.1f} hours ago; expected at most {options.max_age_hours:g}"
        shown.append((STALE, "run", text))
    for kind, subject, text in shown:
        print(f"{kind} {subject}: {text}")
    if options.alertmanager is not None:
        labels = {"root": options.root} | ({"date": options.date} if options.date else {})
        post_alerts(options.alertmanager, shown, labels, options.resolve_hours)
    return ALERT_STATUS if shown else 0


def alert_status(found: Iterable[dict[str, str]], kinds: Collection[str] | None) -> int:
    """Says on stderr what a run ended with.

    Args:
        found: "alerts" of the run's summary, or those of several days.
        kinds: of `--alert`. None: it was not given; none of them: all kinds.
    Returns:
        The exit status: 3 where one of the kinds was found, else 0.
    """
    if kinds is None:
        return 0
    alerts = [Alert.from_dict(values) for values in found]
    chosen = [alert for alert in alerts if not kinds or alert.kind in kinds]
    for alert in chosen:
        print(f"adlens: alert: {alert}", file=sys.stderr)
    return ALERT_STATUS if chosen else 0
