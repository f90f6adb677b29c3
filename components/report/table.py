"""What the terminal shows at the end of a run."""

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.report import formats
from components.report.recall_section import WAYS as RECALL_WAYS


def print_summary(summary: dict[str, Any], report_path: Path, console: Console | None = None) -> None:
    """Prints metrics, rejects, the pushed models and the report's path.

    Without a terminal it prints the same as plain ASCII lines, and a path stays on one line however narrow the
    console is, so that a program can read it.

    Args:
        summary: what `write_report` returned or `summary.json` holds.
        report_path: the page to look at.
        console: where to print, standard output by default.
    """
    console = console or Console(highlight=False)
    style = box.SIMPLE_HEAD if console.is_terminal else box.ASCII2
    console.print(_metrics_table(summary["ctr"], style))
    if "baseline" in summary["ctr"]:
        console.print(_comparison_table(summary["ctr"], style))
    if summary["encoder"]:
        console.print(_encoder_table(summary["encoder"], style))
    if summary["recall"]:
        console.print(_recall_table(summary["recall"], style))
    console.print(_logs_table(summary["logs"], style))
    for line in _closing_lines(summary, report_path):
        console.print(line, soft_wrap=True)


def _metrics_table(ctr: dict[str, Any], style: box.Box) -> Table:
    table = Table(title=Text(f"CTR model {ctr['model']}, test split"), title_justify="left", box=style)
    table.add_column("items")
    for name in ("impressions", "AUC", "GAUC", "LogLoss", "calibration"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*_metrics_row("all", ctr), style="bold")
    if "baseline" in ctr:
        table.add_row(*_metrics_row(f"all, model {ctr['baseline']['model']}", ctr["baseline"]))
    if "last_blessed" in ctr:
        table.add_row(*_metrics_row("all, last blessed", ctr["last_blessed"]))
    table.add_section()
    for group in ctr["groups"]:
        table.add_row(*_metrics_row(_group_name(group), group))
    return table


def _comparison_table(ctr: dict[str, Any], style: box.Box) -> Table:
    baseline = ctr["baseline"]
    title = Text(f"CTR model {ctr['model']} beside model {baseline['model']}, test split")
    table = Table(title=title, title_justify="left", box=style)
    table.add_column("items")
    for metric in ("AUC", "LogLoss"):
        for name in (metric, baseline["model"], "difference"):
            table.add_column(name, justify="right", no_wrap=True)
    table.add_row("all", *_comparison_row(ctr, baseline), style="bold", end_section=True)
    for group, beside in zip(ctr["groups"], baseline["groups"], strict=True):
        table.add_row(_group_name(group), *_comparison_row(group, beside))
    return table


def _comparison_row(row: dict[str, Any], beside: dict[str, Any]) -> list[str]:
    return [
        shown
        for metric in ("auc", "logloss")
        for shown in (
            formats.metric(row[metric]),
            formats.metric(beside[metric]),
            formats.difference(row[metric], beside[metric]),
        )
    ]


def _group_name(group: dict[str, Any]) -> str:
    return group["group"] if group["group"] == "new" else f"group {group['group']}"


def _metrics_row(name: str, row: dict[str, Any]) -> list[str]:
    figures = [formats.metric(row[metric]) for metric in ("auc", "gauc", "logloss", "calibration")]
    return [name, formats.count(row["impressions"]), *figures]


def _encoder_table(encoders: dict[str, Any], style: box.Box) -> Table:
    table = Table(title="Encoders, test split", title_justify="left", box=style)
    table.add_column("pairs of")
    for name in ("pairs", "Acc@1", "Acc@5", "random cosine"):
        table.add_column(name, justify="right", no_wrap=True)
    for modality, encoder in encoders.items():
        cosine = formats.metric(encoder["random_cosine"])
        table.add_row(*_accuracy_row(f"{modality}, {encoder['method']}", encoder), cosine, style="bold")
        for name, part in encoder["slices"].items():
            if part["pairs"]:
                table.add_row(*_accuracy_row(f"{modality}, {name}", part), "")
    return table


def _accuracy_row(name: str, row: dict[str, Any]) -> list[str]:
    return [name, formats.count(row["pairs"]), formats.metric(row["acc@1"]), formats.metric(row["acc@5"])]


def _recall_table(recall: dict[str, Any], style: box.Box) -> Table:
    title = f"Recall, fusion {recall['fusion']}, {formats.count(recall['clicks'])} test clicks"
    table = Table(title=Text(title), title_justify="left", box=style)
    table.add_column("click-recall")
    for name in ("all clicks", "long tail", "new items"):
        table.add_column(f"{name} @{recall['k']}", justify="right", no_wrap=True)
    for way, label in RECALL_WAYS.items():
        groups = [recall["stages"][way][group] for group in ("all", "long_tail", "new")]
        figures = [formats.metric(group["click_recall"][str(recall["k"])]) for group in groups]
        table.add_row(label, *figures, style="bold" if way == "staged" else None)
    return table


def _logs_table(logs: dict[str, Any], style: box.Box) -> Table:
    table = Table(title="Logs", title_justify="left", box=style)
    table.add_column("log")
    for name in ("read", "used", "rejected"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reasons", overflow="fold")
    for log, used in logs["used"].items():
        reasons = {reason: number for reason, number in logs["rejects"].get(log, {}).items() if number}
        listed = sorted(reasons.items(), key=lambda item: -item[1])
        # Text, so that a reason with brackets is not taken for a style.
        said = Text(", ".join(f"{reason} {formats.count(number)}" for reason, number in listed))
        figures = (logs[log], used, sum(reasons.values()))
        table.add_row(Text(log), *(formats.count(figure) for figure in figures), said)
    return table


def _closing_lines(summary: dict[str, Any], report_path: Path) -> list[Text]:
    blessed = {"ctr": summary["ctr"]["blessed"]}
    blessed |= {f"{modality}_encoder": row["blessed"] for modality, row in summary["encoder"].items()}
    if summary["recall"]:
        blessed["recall"] = summary["recall"]["blessed"]
    pushed = [_pushed_line(name, summary["pushed"].get(name), ok) for name, ok in blessed.items()]
    return [
        *_embeddings_lines(summary["embeddings"]),
        *pushed,
        Text.assemble(("report: ", "bold"), str(report_path)),
    ]


def _embeddings_lines(embeddings: dict[str, Any] | None) -> list[Text]:
    if embeddings is None:
        return []
    said = [
        f"{modality} {formats.share(embeddings[f'{modality}_embeddings'], embeddings[there])} of those with one"
        for modality, there in (("image", "with_image"), ("text", "with_title"))
    ]
    items = f"{formats.count(embeddings['items'])} items, {', '.join(said)}"
    return [Text.assemble(("embeddings: ", "bold"), items)]


def _pushed_line(name: str, path: str | None, is_blessed: bool) -> Text:
    label = "pushed" if name == "ctr" else f"pushed {name}"
    if path is not None:
        return Text.assemble((f"{label}: ", "bold green"), path)
    if is_blessed:
        return Text(f"{label}: nothing, though the model is blessed", style="yellow")
    return Text(f"{label}: nothing, the model is not blessed (the report says why)", style="yellow")
