"""Table 2 for the page."""

from components.report import formats, parts
from components.report.markup import Markup, tag
from pipeline.experiment.dot_plot import DotRow, dot_plot
from pipeline.experiment.figures import seed_count, signed_with_spread, with_spread
from pipeline.experiment.part import Rows
from pipeline.experiment.table2.methods import ACCURACIES, METHODS, SCL

_LABELS = {method.name: method.label for method in METHODS}
_SHOWN = {"image": "pictures", "text": "texts"}


def section(rows: Rows) -> Markup:
    """The paper's figures beside these, each seed's, and how far SCL lies above the others."""
    modalities = list(dict.fromkeys(row["modality"] for row in rows))
    by_modality = {name: [row for row in rows if row["modality"] == name] for name in modalities}
    first = by_modality[modalities[0]]
    seeds = len(first[0]["seeds"])
    return parts.section(
        "Table 2: how encoders are trained",
        "How often what was bought after a search is the first (Acc@1) or among the first five (Acc@5) of all "
        f"items bought in the test split. Mean ± standard deviation over {seed_count(seeds)}. The paper's figures are of pictures of another shop, with more "
        "candidates: compare the order and the distances, not the height.",
        parts.card(_overview(by_modality), _missing(first)),
        tag("div", [_plot(name, own) for name, own in by_modality.items()], class_="grid"),
        tag("div", [_gains(name, own) for name, own in by_modality.items()], class_="grid"),
        [
            parts.card(tag("h3", f"By kind of pair, {_SHOWN[n]}"), _slices(own))
            for n, own in by_modality.items()
        ],
    )


def _overview(by_modality: dict[str, Rows]) -> Markup:
    head = ["method", "paper Acc@1", "paper Acc@5"]
    head += [f"{_SHOWN[name]} {accuracy.capitalize()}" for name in by_modality for accuracy in ACCURACIES]
    body = []
    for rows in zip(*by_modality.values(), strict=True):
        paper = [formats.metric(rows[0]["paper"][name]) for name in ACCURACIES]
        ours = [with_spread(row[name]) for row in rows for name in ACCURACIES]
        body.append([_LABELS[rows[0]["method"]], *paper, *ours])
    return parts.table(head, body, texts=1)


def _missing(rows: Rows) -> Markup | None:
    there = {row["method"] for row in rows}
    names = [method.label for method in METHODS if method.name not in there]
    if not names:
        return None
    return tag(
        "p", f"Not asked for, or nothing to learn from in these logs: {', '.join(names)}.", class_="note"
    )


def _plot(modality: str, rows: Rows) -> Markup:
    dots = [
        DotRow(_LABELS[row["method"]], {name.capitalize(): row[name] for name in ACCURACIES}) for row in rows
    ]
    title = f"{_SHOWN[modality].capitalize()}, {formats.count(rows[0]['pairs'])} test pairs"
    return dot_plot(title, "A dot a seed; the stroke is their mean, the bar one standard deviation.", dots)


def _gains(modality: str, rows: Rows) -> Markup:
    body = [
        [_LABELS[row["method"]], *(signed_with_spread(row["scl_gain"][name]) for name in ACCURACIES)]
        for row in rows
        if row["method"] != SCL.name and row["scl_gain"] is not None
    ]
    table = parts.table(("above", "by Acc@1", "by Acc@5"), body, texts=1)
    note = tag("p", "Differences are taken seed by seed, then averaged.", class_="note")
    return parts.card(tag("h3", f"How far SCL lies above, {_SHOWN[modality]}"), table, note)


def _slices(rows: Rows) -> Markup:
    kinds = [kind for kind, part in rows[0]["slices"].items() if part["pairs"]]
    head = ["method"]
    for kind in kinds:
        pairs = formats.count(rows[0]["slices"][kind]["pairs"])
        head += [f"{kind} ({pairs}) {name.capitalize()}" for name in ACCURACIES]
    body = [
        [_LABELS[row["method"]], *(with_spread(row["slices"][k][name]) for k in kinds for name in ACCURACIES)]
        for row in rows
    ]
    return parts.table(head, body, texts=1)
