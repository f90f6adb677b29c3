"""Trains an encoder by semantic-aware contrastive learning."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from models.distribution.hear_chief import hear_chief
from models.distribution.lost_worker import lost_worker_as_input_error
from models.distribution.strategy import is_chief, open_strategy
from models.encoder.augmentation import Augmentation
from models.encoder.build import build_encoder, leave_strategy
from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.checkpoints import Checkpoints
from models.encoder.config import EncoderConfig, ImageEncoderConfig, TextEncoderConfig
from models.encoder.eval_rounds import EvalRounds
from models.encoder.query_pairs import count_pairs, read_training_pairs
from models.encoder.replicated_rounds import fit_replicas
from models.encoder.retrieval import measure_retrieval
from models.encoder.scl_model import SclModel
from models.encoder.training_input import Batch, TrainingInput
from models.optimizers.replica_adamw import ReplicaAdamW
from models.training_curve import TrainingCurve
from transforms.input_error import InputError

# Steps between two points of the training curve.
_CURVE_STEPS = 10
ROLES = ("query", "positive", "negative")

_BEGINNING: dict[str, Any] = {"step": 0, "round": 0, "ended": False, "curve": [], "evaluations": []}
_SEARCHED = {"image": "a picture", "text": "words"}
_UNTRAINED: dict[str, Any] = {
    "steps": 0,
    "seconds": 0.0,
    "curve": [],
    "evaluations": [],
    "temperature": None,
    "bank": None,
}

# What to do when a worker is lost.
RESUME = "start all workers again, and it goes on from the last checkpoint"


@dataclass(frozen=True)
class Schedule:
    """How long a training lasts.

    Attributes:
        steps: optimizer steps in all.
        round_steps: steps between two looks at the eval split.
    """

    steps: int
    round_steps: int

    @classmethod
    def of(cls, pairs: int, config: EncoderConfig) -> "Schedule":
        """The schedule for so many pairs: whole rounds."""
        epoch_steps = max(1, round(pairs / config.batch_size))
        round_steps = min(config.checkpoint_steps or epoch_steps, epoch_steps * config.epochs)
        return cls(math.ceil(epoch_steps * config.epochs / round_steps) * round_steps, round_steps)

    @property
    def rounds(self) -> int:
        """Looks at the eval split."""
        return self.steps // self.round_steps


def train_encoder(
    config: ImageEncoderConfig | TextEncoderConfig,
    train_files: Sequence[str],
    eval_files: Sequence[str],
    checkpoints: Checkpoints,
    log_dir: str | None = None,
) -> tuple[BytesEncoder, dict[str, Any]]:
    """Builds an encoder and trains it as its configuration says.

    Args:
        config: of one modality or the other.
        train_files: Parquet files of training pairs.
        eval_files: the eval split's, which decide when the training ends and which weights are kept.
        checkpoints: where the training leaves what it needs to go on.
        log_dir: where TensorBoard's logs go; None for none.
    Returns:
        The encoder, and the history of its training: "modality", "method", "pairs" and what `train_scl` gives.
    Raises:
        InputError: no training pairs of the modality, no such backbone, or a loss that is not finite.
    """
    strategy = open_strategy(config.strategy)
    modality = "image" if isinstance(config, ImageEncoderConfig) else "text"
    pairs = count_pairs(train_files, modality)
    if not pairs:
        raise InputError(
            f"{config.section}: no search with {_SEARCHED[modality]} was followed by a purchase in the training "
            f"days, so there is nothing to learn from; leave {modality} out of `modalities`"
        )
    history = {"modality": modality, "method": config.method, "pairs": pairs}
    if config.method == "backbone":
        return build_encoder(config, train_files), history | _UNTRAINED
    with lost_worker_as_input_error(config.strategy, RESUME):
        with strategy.scope():
            encoder = build_encoder(config, train_files)
            model = SclModel(
                encoder.encoder,
                config.embedding_dim,
                config.queue_size,
                config.momentum,
                config.temperature,
                config.triplet_weight,
                config.triplet_margin,
            )
        trained = train_scl(
            model,
            training_input(train_files, encoder, config),
            Schedule.of(pairs, config),
            config,
            checkpoints,
            lambda: measure_retrieval(encoder, eval_files, modality),
            log_dir,
        )
    return leave_strategy(encoder, config, config.strategy), history | trained


def training_input(files: Sequence[str], encoder: BytesEncoder, config: EncoderConfig) -> TrainingInput:
    """Batches of pairs without end: what `SclModel` takes.

    Args:
        files: Parquet files of pairs.
        encoder: says how inputs are prepared.
        config: batch size, buffer, seed and augmentation.
    """
    augment = _augmentation(config)

    def stored(first_step: int) -> tf.data.Dataset:
        pairs = read_training_pairs(files, encoder.modality, config.shuffle_buffer, config.seed)
        return pairs.skip(first_step * config.batch_size).batch(config.batch_size, drop_remainder=True)

    def prepare(batch: Batch) -> Batch:
        # The three at once: one pass of decoding or tokenizing, and of augmentation.
        inputs = augment(encoder.prepare(tf.concat([batch[role] for role in ROLES], axis=0)))
        return batch | dict(zip(ROLES, tf.split(inputs, len(ROLES)), strict=True))

    return TrainingInput(stored, prepare)


def train_scl(
    model: SclModel,
    batches: TrainingInput,
    schedule: Schedule,
    config: EncoderConfig,
    checkpoints: Checkpoints,
    measure: Callable[[], dict[str, Any]],
    log_dir: str | None = None,
) -> dict[str, Any]:
    """Trains `model` with plain `fit`, from its last checkpoint where there is one; the best is kept.

    Args:
        model: not compiled.
        batches: see `training_input`.
        schedule: how long.
        config: the optimizer.
        checkpoints: where the training leaves what it needs to go on.
        measure: of the eval split, see `EvalRounds`.
        log_dir: where TensorBoard's logs go; None for none.
    Returns:
        {"steps", "seconds", "curve", "evaluations", "temperature", "bank"}; see the encoders' page.
    Raises:
        InputError: the loss is not finite.
    """
    history = fit_rounds(model, batches, schedule, config, checkpoints, measure, log_dir)
    if is_chief(open_strategy(config.strategy)):
        checkpoints.restore_best(model)
    return history | {"temperature": model.current_temperature(), "bank": _describe_bank(model, config)}


def fit_rounds(
    model: keras.Model,
    batches: TrainingInput,
    schedule: Schedule,
    config: EncoderConfig,
    checkpoints: Checkpoints,
    measure: Callable[[], dict[str, Any]],
    log_dir: str | None = None,
) -> dict[str, Any]:
    """Runs `fit` round by round, from the last checkpoint where there is one.

    Args:
        model: not compiled; adds its loss itself.
        batches: of all replicas together.
        schedule: how long.
        config: the optimizer, and the patience.
        checkpoints: where the training leaves what it needs to go on.
        measure: see `EvalRounds`.
        log_dir: where TensorBoard's logs go; None for none.
    Returns:
        {"steps", "seconds", "curve", "evaluations"}.
    Raises:
        InputError: the loss is not finite, workers see different checkpoints, or a batch is too small to share.
    """
    strategy = open_strategy(config.strategy)
    check_batch_size(config, strategy.num_replicas_in_sync)
    with strategy.scope():
        optimizer = make_optimizer(config, schedule)
        optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=_jit_compile())
    state = _restore(model, checkpoints, strategy)
    curve = TrainingCurve(_CURVE_STEPS, points=state["curve"])
    looks = EvalRounds(measure, checkpoints, curve, config.patience, state["evaluations"], strategy)
    callbacks: list[keras.callbacks.Callback] = [curve, looks]
    if log_dir is not None and is_chief(strategy):
        callbacks.append(keras.callbacks.TensorBoard(log_dir, update_freq=_CURVE_STEPS, write_graph=False))
    rounds = range(state["round"], 0 if state["ended"] else schedule.rounds)
    if rounds and config.strategy == "none":
        model.fit(
            batches.dataset(state["step"]),
            initial_epoch=rounds.start,
            epochs=rounds.stop,
            steps_per_epoch=schedule.round_steps,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    elif rounds:
        fit_replicas(model, batches, state["step"], rounds, schedule.round_steps, callbacks, strategy)
    return {
        "steps": int(keras.ops.convert_to_numpy(model.optimizer.iterations)),
        "seconds": curve.points[-1]["seconds"] if curve.points else 0.0,
        "curve": curve.points,
        "evaluations": looks.evaluations,
    }


def make_optimizer(config: EncoderConfig, schedule: Schedule) -> keras.optimizers.Optimizer:
    """AdamW with warm-up and cosine decay; biases, norms, tables and the temperature do not decay."""
    warmup = int(schedule.steps * config.warmup_fraction)
    learning_rate = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else config.learning_rate,
        max(1, schedule.steps - warmup),
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = ReplicaAdamW(
        learning_rate, weight_decay=config.weight_decay, global_clipnorm=config.global_clipnorm
    )
    optimizer.exclude_from_weight_decay(
        var_names=["bias", "gamma", "beta", "scale", "embeddings", "class_token"]
    )
    return optimizer


def check_batch_size(config: EncoderConfig, replicas: int) -> None:
    """Raises InputError where a batch leaves a replica without a pair, which has no mean loss."""
    if config.batch_size < replicas:
        raise InputError(
            f"{config.section}.batch_size must be at least {replicas}, one for each replica, got {config.batch_size}"
        )


def _restore(
    model: keras.Model, checkpoints: Checkpoints, strategy: tf.distribute.Strategy
) -> dict[str, Any]:
    """The state that all workers begin with."""
    state = checkpoints.restore(model) or _BEGINNING
    chief_step = hear_chief(state["step"], strategy)
    if state["step"] != chief_step:
        raise InputError(
            f"all workers must see the same checkpoints, got one of step {state['step']} where the chief has "
            f"one of step {chief_step}; put ROOT where all workers read and write"
        )
    return state


def _augmentation(config: EncoderConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    if isinstance(config, ImageEncoderConfig) and config.augmentation:
        return Augmentation(config.augmentation, config.seed)
    return lambda inputs: inputs


def _jit_compile() -> bool | str:
    # XLA would copy the whole bank at each step where TensorFlow writes some rows.
    return False if keras.backend.backend() == "tensorflow" else "auto"


def _describe_bank(model: SclModel, config: EncoderConfig) -> dict[str, Any] | None:
    if not model.queue_size:
        return None
    filled = int((keras.ops.convert_to_numpy(model.bank.item_ids) >= 0).sum())
    return {"size": model.queue_size, "filled": filled, "age_steps": filled / config.batch_size}
