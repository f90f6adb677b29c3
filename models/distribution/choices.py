"""The ways to spread a training over devices and machines, by name; without TensorFlow, for configurations."""

from transforms.input_error import check_setting

STRATEGIES = ("none", "mirrored", "multi_worker", "tpu")


def check_strategy(stage: str, strategy: str) -> None:
    """Raises InputError unless a stage's `strategy` is one of `STRATEGIES`."""
    check_setting(stage, "strategy", strategy, strategy in STRATEGIES, f"one of {', '.join(STRATEGIES)}")
