"""Trains encoders one after another under a strategy, in a process that may be one of several workers.

    python tests/support/replica_run.py CASES.json [--devices 2]

CASES.json is a list of {"name", "modality": "image" or "text", "config": {…}, "train": [file, …], "eval":
[file, …], "folder"}. With a "catalog": [file, …] the encoder is trained on titles and pictures, together with one
of texts of configuration "text". With "export": true it is exported to FOLDER/NAME.saved_model. With "dies":
[worker, step] that worker kills itself once it has done so many steps.

Beside its checkpoints a case leaves FOLDER/NAME.json with its history and the vectors of the eval split's
queries; a worker that is not the chief leaves FOLDER/NAME.worker-INDEX.json. The environment (TF_CONFIG) says
which worker of how many this is.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)

# isort: split
import tensorflow as tf

from models.distribution.strategy import is_chief, open_strategy
from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.checkpoints import Checkpoints
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.encoder.query_pairs import COLUMNS, read_batches
from models.encoder.title_image_trainer import TitledCatalog, train_title_image
from models.encoder.trainer import Schedule, train_encoder
from models.training_curve import TrainingCurve
from serving.encoder_signatures import save_encoder
from transforms.input_error import InputError

CONFIGS = {"image": ImageEncoderConfig, "text": TextEncoderConfig}
TITLE_IMAGE_SCHEDULE = Schedule(4, 2)


def main() -> int:
    """Trains all cases. Returns 2, with one line on stderr, where a training says what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases")
    parser.add_argument("--devices", type=int, default=1)
    options = parser.parse_args()
    if options.devices > 1:
        processor = tf.config.list_physical_devices("CPU")[0]
        devices = [tf.config.LogicalDeviceConfiguration()] * options.devices
        tf.config.set_logical_device_configuration(processor, devices)
    try:
        for case in json.loads(Path(options.cases).read_text()):
            run(case)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run(case: dict[str, Any], make_checkpoints: Callable[[str], Checkpoints] = Checkpoints) -> None:
    """Trains one case and leaves what it came to."""
    folder, name = Path(case["folder"]), case["name"]
    config = CONFIGS[case["modality"]](**case["config"])
    strategy = open_strategy(config.strategy)
    if "dies" in case and _worker() == case["dies"][0]:
        _die_after(case["dies"][1])
    encoder, history = _train(case, config, make_checkpoints(str(folder / f"{name}.checkpoints")))
    if case.get("export") and is_chief(strategy):
        model_folder = folder / f"{name}.model"
        model_folder.mkdir()
        save_encoder(encoder, config.method, str(model_folder), str(folder / f"{name}.saved_model"))
    batch = next(read_batches(case["eval"], case["modality"]))
    vectors = encoder(tf.constant(batch.column(COLUMNS[case["modality"]][0]).to_pylist())).numpy()
    result = {"history": history, "vectors": vectors.tolist(), "replicas": strategy.num_replicas_in_sync}
    file = f"{name}.json" if is_chief(strategy) else f"{name}.worker-{_worker()}.json"
    (folder / file).write_text(json.dumps(result))


def _train(
    case: dict[str, Any], config: ImageEncoderConfig | TextEncoderConfig, checkpoints: Checkpoints
) -> tuple[BytesEncoder, dict[str, Any]]:
    if "catalog" not in case:
        return train_encoder(config, case["train"], case["eval"], checkpoints)
    text = TextEncoderConfig(**case["text"])
    catalog = TitledCatalog(case["catalog"], 1)
    towers, history = train_title_image(
        config, text, config, catalog, case["train"], TITLE_IMAGE_SCHEDULE, checkpoints
    )
    return towers.image, history


def _die_after(step: int) -> None:
    """Lets the process end as one does that the system kills, with no word to anybody."""
    count = TrainingCurve.on_train_batch_end

    def count_and_die(curve: TrainingCurve, batch: int, logs: dict | None = None) -> None:
        count(curve, batch, logs)
        if curve._step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    TrainingCurve.on_train_batch_end = count_and_die


def _worker() -> int:
    return json.loads(os.environ["TF_CONFIG"])["task"]["index"]


if __name__ == "__main__":
    sys.exit(main())
