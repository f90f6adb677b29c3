"""One stage of the pipeline as the work of one container: `python -m pipeline.kubeflow.stage`.

It wires the pipeline anew as its parameters say and runs the one node of it that it is told, so that the compiled
YAML holds names and no state: a preset or a day that is chosen when a run starts reaches every stage.
"""

import argparse
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence

# Before anything imports TensorFlow, which reads once what this sets.
import transforms  # noqa: F401


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one stage. Returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(levelname).1s %(name)s: %(message)s")
    options = _parser().parse_args(arguments)
    # After the arguments, so that a wrong one is answered at once.
    from pipeline.kubeflow.perform import perform
    from pipeline.progress import find_input_error

    try:
        perform(options)
    except Exception as error:  # noqa: BLE001 the process must not end by itself, see below
        mistake = find_input_error(error)
        if mistake is None:
            traceback.print_exc()
        print(f"adlens: {options.node}: {mistake or 'failed, as said above'}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pipeline.kubeflow.stage", description="Runs one stage.")
    parser.add_argument("--node", required=True, help="the stage's name")
    parser.add_argument("--root", required=True, help="ROOT, the same place in all containers")
    parser.add_argument("--logs", required=True, help="the folder of the four logs")
    parser.add_argument("--date", default="", help="the day to go on with, in a run by days")
    parser.add_argument("--daily", action="store_true", help="this is a run by days")
    parser.add_argument("--preset", default="", help="empty: the settings alone")
    parser.add_argument("--settings", type=json.loads, default={}, metavar="JSON")
    parser.add_argument(
        "--nodes", default="", help="all stages of the compiled pipeline, with commas between"
    )
    parser.add_argument("--beam-arg", action="append", default=[], metavar="FLAG")
    parser.add_argument("--anew", action="store_true", help="run also what was made before")
    parser.add_argument("--executor_input", required=True, metavar="JSON", help="of the launcher")
    return parser


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # What libraries do at the interpreter's exit has been seen to abort the process after all work was done, which
    # the launcher would take for a failure.
    os._exit(status)
