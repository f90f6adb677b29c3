"""Trains an encoder in a process that somebody may kill.

python tests/support/train_scl.py CONFIG.json CHECKPOINTS HISTORY.json --train FILE … --eval FILE …
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.encoder.checkpoints import Checkpoints
from models.encoder.config import ImageEncoderConfig
from models.encoder.trainer import train_encoder
from transforms.configuration import from_json


def main() -> None:
    """Trains the encoder of pictures and writes the history of its training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("config", "checkpoints", "history"):
        parser.add_argument(name)
    for name in ("--train", "--eval"):
        parser.add_argument(name, nargs="+")
    options = parser.parse_args()
    config = from_json(ImageEncoderConfig, Path(options.config).read_text())
    _, history = train_encoder(config, options.train, options.eval, Checkpoints(options.checkpoints))
    Path(options.history).write_text(json.dumps(history))


if __name__ == "__main__":
    main()
