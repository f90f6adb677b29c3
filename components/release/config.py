"""What a release has besides models and items."""

from dataclasses import dataclass

from serving.release.release import MAX_SAMPLE_USERS
from transforms.input_error import check_setting


@dataclass(frozen=True)
class ReleaseConfig:
    """What a release has besides models and items.

    Attributes:
        sample_users: users of the test split that a release names, for people to try requests with.
    """

    sample_users: int = 20

    def __post_init__(self) -> None:
        holds = 0 <= self.sample_users <= MAX_SAMPLE_USERS
        check_setting("release", "sample_users", self.sample_users, holds, f"0 to {MAX_SAMPLE_USERS}")
