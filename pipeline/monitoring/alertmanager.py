"""Hands alerts to Prometheus' Alertmanager."""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from transforms.input_error import InputError

_PATH = "/api/v2/alerts"
_TIMEOUT_SECONDS = 10.0


def post_alerts(
    url: str, alerts: Sequence[tuple[str, str, str]], labels: dict[str, str], hours: float
) -> None:
    """Posts alerts to `POST /api/v2/alerts`; none are no request.

    Alertmanager takes alerts with the same labels for the same one, so posting again prolongs it.

    Args:
        url: of Alertmanager, `http://HOST:PORT` with the prefix of its path where it has one.
        alerts: kind, subject and text of each.
        labels: further labels of all.
        hours: after which an alert is over unless it is posted again.
    Raises:
        InputError: `url` is none, or nobody there takes them.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise InputError(f"--alertmanager must be http://HOST:PORT or https://HOST:PORT, got {url!r}")
    if not alerts:
        return
    now = datetime.now(UTC)
    body = [
        {
            "labels": {"alertname": f"adlens_{kind}", "subject": subject} | labels,
            "annotations": {"summary": text},
            "startsAt": now.isoformat(timespec="seconds"),
            "endsAt": (now + timedelta(hours=hours)).isoformat(timespec="seconds"),
        }
        for kind, subject, text in alerts
    ]
    request = urllib.request.Request(
        url.rstrip("/") + _PATH,
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        said = error.read(500).decode(errors="replace")
        raise InputError(
            f"{url}: expected it to take the alerts, it answered {error.code}: {said!r}"
        ) from error
    except OSError as error:
        raise InputError(f"{url}: expected Alertmanager, could not reach it: {error}") from error
