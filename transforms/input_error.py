"""The error that a user can mend."""


class InputError(ValueError):
    """Input or configuration that a user can mend: one line that says what was expected and what came.

    The command line prints the message alone; any other exception is a defect and keeps its traceback.
    """


def check_setting(stage: str, name: str, value: object, holds: bool, wanted: str) -> None:
    """Raises InputError unless a setting holds: `stage.name must be wanted, got value`."""
    if not holds:
        raise InputError(f"{stage}.{name} must be {wanted}, got {value}")
