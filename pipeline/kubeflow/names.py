"""Names that the compiler and a stage have to agree on."""

import re


def task_name(node: str) -> str:
    """A node's name as Kubernetes takes it: `CtrTrainer` becomes `ctr-trainer`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", node).lower()


def input_name(producer: str, output: str) -> str:
    """What a task calls the input that it takes from another.

    By where it comes from and not by what the stage calls it: on one day an input may come from one stage and on
    the next from another, and the compiled pipeline has to name both.
    """
    return f"{task_name(producer).replace('-', '_')}__{output}"
