"""One process of a training under the strategy multi_worker: `python -m components.training_process`.

It reads a `TrainingCall` from standard input and says on standard output what a user can mend. A process of its own for each training, for TensorFlow must know of
the other workers before it computes anything, and cannot be told of others later.
"""

import argparse
import os
import sys

from transforms.input_error import InputError

# Exit status: the last line of output says what a user can mend.
MISTAKE = 2


def main() -> int:
    """Trains. Returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(prog="components.training_process", description=main.__doc__)
    parser.add_argument("--chief", action="store_true", help="the one whose outputs are kept")
    options = parser.parse_args()
    try:
        from models.distribution.strategy import is_chief, open_strategy

        if is_chief(open_strategy("multi_worker")) != options.chief:
            raise InputError(
                "by TF_CONFIG this is not the chief, which runs the pipeline; the others run components.worker"
                if options.chief
                else "by TF_CONFIG this is the chief, which runs the pipeline and not components.worker"
            )
        # Only now: it must not compute before the strategy is open.
        from components.training_call import TrainingCall

        TrainingCall.from_json(sys.stdin.read()).perform(keeps_outputs=options.chief)
    except InputError as error:
        print(error)
        return MISTAKE
    return 0


if __name__ == "__main__":
    sys.exit(main())
