"""The compared methods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACCURACIES = ("acc@1", "acc@5")


@dataclass(frozen=True)
class Method:
    """A way to get an encoder.

    Attributes:
        name: in files.
        label: for people.
        changes: of the encoder's configuration.
        paper: the paper's Acc@1 and Acc@5, of pictures of another shop.
        reads_catalog: whether it learns from the catalog's titles and pictures instead of query pairs.
    """

    name: str
    label: str
    changes: Mapping[str, Any]
    paper: tuple[float, float]
    reads_catalog: bool = field(default=False)


SCL = Method("scl", "SCL", {"method": "scl"}, (0.7474, 0.8850))

METHODS = (
    Method("backbone", "backbone as it comes", {"method": "backbone"}, (0.2559, 0.3575)),
    Method(
        "title_image",
        "fine-tuned on <title, image>",
        # What it does not have is the same whatever the configuration says of it.
        {"method": "scl", "queue_size": 0, "triplet_weight": 0.0},
        (0.2952, 0.3917),
        reads_catalog=True,
    ),
    SCL,
    Method(
        "scl_without_triplet",
        "SCL without triplet",
        {"method": "scl", "triplet_weight": 0.0},
        (0.6957, 0.8604),
    ),
    Method(
        "scl_without_triplet_and_bank",
        "SCL without triplet and bank",
        {"method": "scl", "triplet_weight": 0.0, "queue_size": 0},
        (0.5760, 0.7590),
    ),
)
