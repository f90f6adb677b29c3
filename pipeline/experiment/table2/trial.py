"""One training of a method, and its measurement."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.checkpoints import Checkpoints
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.encoder.query_pairs import count_pairs
from models.encoder.title_image_trainer import TitledCatalog, train_title_image
from models.encoder.trainer import Schedule, train_encoder
from pipeline.config import RunConfig
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.store import ResultStore
from pipeline.experiment.table2.catalog_vectors import encode_catalog
from pipeline.experiment.table2.held_out_pairs import HeldOutPairs
from pipeline.experiment.table2.methods import Method


@dataclass(frozen=True)
class Trial:
    """One training of a method, and its measurement.

    Attributes:
        method: how the encoder is trained.
        modality: "image" or "text", what is measured.
        image: the encoder of pictures.
        text: the encoder of texts; of the two only the measured one is trained, unless the method needs both.
        modalities: those that the experiment measures.
    """

    method: Method
    modality: str
    image: ImageEncoderConfig
    text: TextEncoderConfig
    modalities: tuple[str, ...]

    @classmethod
    def of(cls, method: Method, modality: str, config: RunConfig, index: int) -> "Trial":
        """The trial with the seed that is `index` after the configuration's."""
        image, text = config.image_encoder, config.text_encoder
        return cls(
            method,
            modality,
            dataclasses.replace(image, seed=image.seed + index, **method.changes),
            dataclasses.replace(text, seed=text.seed + index, **method.changes),
            config.modalities,
        )

    @property
    def config(self) -> ImageEncoderConfig | TextEncoderConfig:
        """The measured encoder's configuration."""
        return self.image if self.modality == "image" else self.text

    @property
    def title(self) -> str:
        """Names the trial for people."""
        return f"{self.method.name}-{self.modality}-seed{self.config.seed}"

    @property
    def settings(self) -> dict[str, Any]:
        """All that the result follows from beside the data, as plain values."""
        configs = [self.image, self.text] if self.method.reads_catalog else [self.config]
        return {
            "method": self.method.name,
            "modality": self.modality,
            "configs": [dataclasses.asdict(config) for config in configs],
            **({"trained_for": list(self.modalities)} if self.method.reads_catalog else {}),
        }

    def of_modality(self, modality: str) -> "Trial":
        """The same method and seed, measured in another modality."""
        return dataclasses.replace(self, modality=modality)

    def run(
        self,
        data: Ingested,
        held_out: Mapping[str, HeldOutPairs],
        store: ResultStore,
        checkpoint_folder: str,
    ) -> dict[str, dict[str, Any]]:
        """Trains and measures.

        Args:
            data: what LogIngest made.
            held_out: the pairs to measure on, by modality.
            store: keeps the catalog's vectors, which figure 6a is made from.
            checkpoint_folder: the trial's own.
        Returns:
            The result by modality: the trial's own, and the other's too where the training gave both encoders.
        Raises:
            InputError: nothing to learn from, no such backbone, or a training that diverges.
        """
        keras.utils.clear_session()  # what the trials before left behind would add up
        checkpoints = Checkpoints(checkpoint_folder)
        encoders, history = self._train(data, checkpoints)
        results = {
            modality: {
                "method": self.method.name,
                "modality": modality,
                "seed": self.of_modality(modality).config.seed,
                **held_out[modality].measure(encoder),
                "vectors": store.save_array(
                    encode_catalog(encoder, data.catalog_files, held_out[modality].batch_size)
                ),
                **{name: history[name] for name in ("steps", "seconds", "curve", "temperature")},
            }
            for modality, encoder in encoders.items()
        }
        checkpoints.remove()
        return results

    def _train(
        self, data: Ingested, checkpoints: Checkpoints
    ) -> tuple[dict[str, BytesEncoder], dict[str, Any]]:
        pairs = data.pair_files("train")
        if not self.method.reads_catalog:
            encoder, history = train_encoder(self.config, pairs, data.pair_files("eval"), checkpoints)
            return {self.modality: encoder}, history
        towers, history = train_title_image(
            self.image,
            self.text,
            self.of_modality(self.modalities[0]).config,
            TitledCatalog(data.catalog_files, data.train_end),
            pairs,
            self._joint_schedule(pairs),
            checkpoints,
        )
        return {modality: getattr(towers, modality) for modality in self.modalities}, history

    def _joint_schedule(self, pairs: Sequence[str]) -> Schedule:
        """As many steps as SCL takes for all measured encoders together."""
        own = [
            Schedule.of(count_pairs(pairs, modality), self.of_modality(modality).config)
            for modality in self.modalities
        ]
        rounds = sum(schedule.rounds for schedule in own)
        round_steps = round(sum(schedule.steps for schedule in own) / rounds)
        return Schedule(rounds * round_steps, round_steps)
