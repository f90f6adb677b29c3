"""The HTML page of an experiment: it needs neither the network nor a script."""

from datetime import datetime

import yaml

from components.report.document import render_document
from components.report.markup import Markup, tag
from components.report.parts import card, section
from components.report.style import STYLE
from pipeline.experiment import canvas


def render_page(sections: list[Markup], command: str, config: dict, written_at: datetime) -> str:
    """The whole page.

    Args:
        sections: of the parts.
        command: what was typed.
        config: the configuration of all stages, as plain values.
        written_at: the time to show, with its time zone.
    """
    body = tag(
        "main",
        tag("p", f"Adlens · {written_at:%d %B %Y, %H:%M %Z}", class_="eyebrow"),
        tag("h1", "The papers' experiments on these logs"),
        sections,
        section("How it was made", "The same command does only what is missing.", _settings(command, config)),
        tag("footer", "Written by Adlens. The same figures for programs: experiment.json, beside this page."),
    )
    return render_document("Adlens experiment", STYLE + canvas.STYLE, body)


def _settings(command: str, config: dict) -> Markup:
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    listed = tag("div", tag("code", text), class_="sample")
    return card(tag("code", command), tag("details", tag("summary", "Configuration"), listed))
