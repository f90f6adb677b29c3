"""Takes part in the trainings of a pipeline that runs elsewhere: `python -m components.worker`.

One on each worker of a cluster but the chief, which runs the pipeline; `TF_CONFIG` is each one's own.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time

from tfx.dsl.io import fileio

from components.with_all_workers import CALL_FILE, start_process
from transforms.input_error import InputError

_LOOK_SECONDS = 1.0
# The chief's process may end this much before the others'.
_GRACE_SECONDS = 60.0


def main() -> int:
    """Takes part in one training after another, until it is ended from outside. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="components.worker", description=main.__doc__)
    parser.add_argument("--calls", required=True, metavar="FOLDER", help="the chief's ADLENS_CALLS")
    parser.add_argument("--trainings", type=int, metavar="N", help="end after so many")
    options = parser.parse_args()
    try:
        return _work(options.calls, options.trainings)
    except InputError as error:
        print(f"worker: {error}", file=sys.stderr)
        return 1


def _work(folder: str, trainings: int | None) -> int:
    last = ""
    statuses: list[int] = []
    while trainings is None or len(statuses) < trainings:
        found = _read(folder)
        if found is None or found[0] == last:
            time.sleep(_LOOK_SECONDS)
            continue
        last = found[0]
        statuses.append(_take_part(folder, *found))
    return max(statuses, default=0)


def _take_part(folder: str, identity: str, call: str) -> int:
    """Runs one training. Returns 0 where it came to its end, else 1."""
    process, since, said = start_process(call), time.monotonic(), ""
    while process.returncode is None:
        if (_read(folder) or ("",))[0] == identity:
            since = time.monotonic()
        elif time.monotonic() - since > _GRACE_SECONDS:
            said = "the chief has given the training up"
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            said = process.communicate(timeout=_LOOK_SECONDS)[0] or said
    print(f"worker: a training ended with status {process.returncode}", said, file=sys.stderr)
    return int(process.returncode != 0)


def _read(folder: str) -> tuple[str, str] | None:
    """The present training's identity and call; None where there is none."""
    path = f"{folder}/{CALL_FILE}"
    if not fileio.exists(path):
        return None
    try:
        with fileio.open(path, "r") as stream:
            found = json.loads(stream.read())
        return str(found["id"]), str(found["call"])
    except fileio.NotFoundError:
        return None  # the chief has just removed it
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected a training as the chief writes it") from error


if __name__ == "__main__":
    sys.exit(main())
