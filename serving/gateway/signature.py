"""What a model's signature takes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Input:
    """An input of a signature.

    Attributes:
        dtype: NumPy's; object for strings.
        shape: None where any size will do.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Signature:
    """What a signature of one version takes.

    The project's signatures tell their inputs' meaning by name and shape, see `save_ctr_model` and
    `save_recall_model`.

    Attributes:
        version: of the model.
        inputs: by name.
    """

    version: str
    inputs: Mapping[str, Input]

    def features(self, size: int | None) -> dict[str, Input]:
        """The features of one side: inputs `[size]`; 1: of the only user; None: of as many rows as come."""
        return {
            name: each
            for name, each in self.inputs.items()
            if each.shape == (size,) and name != "new_item_id"
        }

    def embeddings(self, prefix: str = "") -> dict[str, int]:
        """The dims of embeddings by modality, of inputs `<prefix><modality>_embedding` `[…, dim]`."""
        dims = {}
        for name, each in self.inputs.items():
            modality = name.removeprefix(prefix).removesuffix("_embedding")
            is_named = name == f"{prefix}{modality}_embedding" and "_" not in modality
            if is_named and len(each.shape) >= 2 and each.shape[-1] is not None:
                dims[modality] = each.shape[-1]
        return dims
