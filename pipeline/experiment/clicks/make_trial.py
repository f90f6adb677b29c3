"""One training of MAKE by itself."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from models.click_training import predict
from models.make.config import MakeConfig
from models.make.model import MakeModel
from models.make.trainer import train_make
from models.make.weights import dump_weights
from pipeline.experiment.clicks.click_data import ClickData


@dataclass(frozen=True)
class MakeTrial:
    """One training of MAKE by itself.

    Attributes:
        config: MAKE and its training.
        modalities: whose embeddings it sees.
    """

    config: MakeConfig
    modalities: tuple[str, ...]

    @property
    def title(self) -> str:
        """Names the trial for people."""
        return f"MAKE alone, {self.config.epochs} epochs, seed {self.config.seed}"

    def settings(self, data: ClickData) -> dict[str, Any]:
        """All that the result follows from beside the examples, as plain values."""
        return {
            "make_alone": dataclasses.asdict(self.config),
            "modalities": list(self.modalities),
            "embeddings": data.fingerprint,
        }

    def run(self, data: ClickData) -> dict[str, Any]:
        """Trains, and predicts the test split after each epoch.

        Returns:
            "predictions", float32 `[impressions]` by epoch; "weights", of `dump_weights`, uint8 `[bytes]` by epoch;
            "seconds".
        Raises:
            InputError: the loss is not finite.
        """
        keras.utils.clear_session()  # what the trials before left behind would add up
        own = {modality: data.embeddings.vectors[modality] for modality in self.modalities}
        model = MakeModel({modality: table.shape for modality, table in own.items()}, self.config)
        model.embeddings.assign(own)
        predictions: list[np.ndarray] = []
        weights: list[np.ndarray] = []
        test = data.rows("test")

        def keep(epoch: int, logs: dict[str, float]) -> None:
            predictions.append(predict(model, test)[1])
            weights.append(np.frombuffer(dump_weights(model.extractor), np.uint8))

        keeping = keras.callbacks.LambdaCallback(on_epoch_end=keep)
        history = train_make(model, data.rows("train"), self.config, data.rows("eval"), [keeping])
        return {"predictions": predictions, "weights": weights, "seconds": history["seconds"]}
