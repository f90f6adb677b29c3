"""The compared ways of integrating embeddings."""

from dataclasses import dataclass

ID = "id"
BOTH = "simtier_make"
ORACLE = "oracle"


@dataclass(frozen=True)
class Integration:
    """A way of integrating embeddings.

    Attributes:
        name: in files, and as `ctr.integration` has it.
        label: for people.
        paper: the paper's relative gains of GAUC and AUC over IDs alone; None for what it has no such figure of.
    """

    name: str
    label: str
    paper: dict[str, float] | None


def _paper(gauc: float, auc: float) -> dict[str, float]:
    return {"gauc": gauc, "auc": auc}


METHODS = (
    Integration(ID, "IDs alone", None),
    Integration("vector", "Vector", _paper(0.0029, 0.0018)),
    Integration("simscore", "SimScore", _paper(0.0077, 0.0040)),
    Integration("simtier", "SimTier", _paper(0.0096, 0.0059)),
    Integration("make", "MAKE", _paper(0.0093, 0.0051)),
    Integration(BOTH, "SimTier + MAKE", _paper(0.0125, 0.0075)),
    Integration(ORACLE, "oracle", None),
)
LABELS = {method.name: method.label for method in METHODS}
PAPER = {method.name: method.paper for method in METHODS}
