"""ScaNN's parameters by the catalog's size."""

import dataclasses
import math
from dataclasses import dataclass

from transforms.input_error import InputError

# With fewer ScaNN would have nothing to learn its parts and codes from.
MIN_ITEMS = 1_000
# Beyond these more work no longer helps what ScaNN's codes tell apart badly.
MAX_REORDER_FACTOR = 50.0
_RAISE = 1.25


@dataclass(frozen=True)
class ScannParameters:
    """How ScaNN partitions, encodes and searches the vectors.

    Searching for k items looks into `leaf_factor` x sqrt(k) leaves, and computes the exact scores of
    `reorder_factor` x k items, the best by their codes. Fewer than `min_k` are searched for as widely as `min_k` are.

    Attributes:
        num_leaves: parts of the catalog; a query looks into the nearest only.
        training_sample_size: vectors that the parts are learned from.
        dimensions_per_block: numbers of a vector that one 4-bit code stands for.
        anisotropic_threshold: how much more an error along the vector counts, which changes its inner products,
            than one across it (ScaNN's T).
        leaf_factor: leaves to search, for each root of k.
        reorder_factor: exact scores, for each of k.
        min_k: where the recall is measured. Of fewer items each one missed would weigh more.
    """

    num_leaves: int
    training_sample_size: int
    dimensions_per_block: int
    anisotropic_threshold: float
    leaf_factor: float
    reorder_factor: float
    min_k: int

    def __post_init__(self) -> None:
        numbers = dataclasses.astuple(self)
        if not all(0 < number < math.inf for number in numbers):
            raise InputError(f"expected parameters above 0 and finite, got {self}")

    def leaves_to_search(self, k: int) -> int:
        """Of `num_leaves`, at least 1."""
        return min(self.num_leaves, math.ceil(self.leaf_factor * math.sqrt(max(k, self.min_k))))

    def num_reordered(self, k: int) -> int:
        """How many exact scores are computed, at least k."""
        return math.ceil(self.reorder_factor * max(k, self.min_k))

    def can_be_raised(self, k: int) -> bool:
        """Whether searching for k items could look at more."""
        return self.leaves_to_search(k) < self.num_leaves or self.reorder_factor < MAX_REORDER_FACTOR

    def raised(self) -> "ScannParameters":
        """The same partition and codes, searched more widely."""
        return dataclasses.replace(
            self,
            leaf_factor=self.leaf_factor * _RAISE,
            reorder_factor=min(self.reorder_factor * _RAISE, MAX_REORDER_FACTOR),
        )


def choose_parameters(num_items: int, dim: int, recall_at: int) -> ScannParameters:
    """Where the search for good parameters starts.

    2 x sqrt(items) leaves balance what finding the leaves costs with what looking into them does. The leaves that
    hold a query's k nearest items grow more slowly than k, about as its root, whatever the catalog's size: the more
    items, the finer the leaves.

    Args:
        num_items: int >= 1.
        dim: int >= 1.
        recall_at: int >= 1, the k that the recall is measured for.
    """
    num_leaves = math.ceil(2 * math.sqrt(num_items))
    return ScannParameters(
        num_leaves=num_leaves,
        training_sample_size=min(num_items, 100 * num_leaves),
        dimensions_per_block=min(2, dim),
        anisotropic_threshold=0.2,
        leaf_factor=1.5,
        reorder_factor=2.0,
        min_k=recall_at,
    )
