"""One training of a click-through-rate model."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from models.click_training import predict
from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.ctr.trainer import train
from models.make.config import MakeConfig
from models.make.weights import load_weights
from pipeline.experiment.clicks.click_data import ClickData
from pipeline.experiment.clicks.vectors import Vectors


@dataclass(frozen=True)
class CtrTrial:
    """One training of a click-through-rate model.

    Attributes:
        config: the model, with its modalities and seed.
        make: the sizes of its MAKE; with 0 epochs MAKE learns with the model from the beginning.
        make_weights: names what MAKE starts from; None where it has not been trained.
        vectors: embeddings in the place of the run's own, or None.
    """

    config: CtrConfig
    make: MakeConfig
    make_weights: str | None
    vectors: Vectors | None

    @property
    def title(self) -> str:
        """Names the trial for people."""
        name = self.config.integration
        if self.vectors is not None:
            name += f" with {self.vectors.title}"
        elif self.config.uses_make:
            name += f", MAKE {self.make.epochs} epochs"
        return f"{name}, seed {self.config.seed}"

    def settings(self, data: ClickData) -> dict[str, Any]:
        """All that the result follows from beside the examples, as plain values."""
        own = {"ctr": dataclasses.asdict(self.config)}
        if not self.config.uses_content:
            return own
        vectors = data.fingerprint if self.vectors is None else self.vectors.name
        make = dataclasses.asdict(self.make) | {"weights": self.make_weights}
        return own | {"embeddings": vectors} | ({"make": make} if self.config.uses_make else {})

    def run(self, data: ClickData, make_weights: bytes | None) -> dict[str, Any]:
        """Trains, and predicts the test split after each epoch.

        Args:
            data: what all trials share.
            make_weights: of `dump_weights`, what MAKE starts from; None where it has not been trained.
        Returns:
            "predictions", float32 `[impressions]` by epoch, and "seconds".
        Raises:
            InputError: the loss is not finite.
        """
        keras.utils.clear_session()  # what the trials before left behind would add up
        model = self._model(data)
        if model.knowledge is not None and make_weights is not None:
            load_weights(model.knowledge.extractor, make_weights)
        predictions: list[np.ndarray] = []
        test = data.examples("test")
        predicting = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: predictions.append(predict(model, test)[1])
        )
        history = train(model, data.examples("train"), self.config, callbacks=[predicting])
        return {"predictions": predictions, "seconds": history["seconds"]}

    def _model(self, data: ClickData) -> CtrModel:
        tables = data.embeddings.vectors | (dict(self.vectors.tables) if self.vectors is not None else {})
        own = {modality: tables[modality] for modality in self.config.modalities or ()}
        shapes = {modality: table.shape for modality, table in own.items()}
        model = CtrModel(data.features, data.table_sizes, self.config, shapes, self.make)
        if self.config.uses_content:
            model.embeddings.assign(own)
        return model
