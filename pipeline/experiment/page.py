"""The HTML page of an experiment: it needs neither the network nor a script."""

from datetime import datetime

import yaml

from components.report.markup import Markup, tag
from components.report.page import POLICY
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
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", "Adlens experiment"),
        tag("style", Markup(STYLE + canvas.STYLE)),
    )
    body = tag(
        "main",
        tag("p", f"Adlens · {written_at:%d %B %Y, %H:%M %Z}", class_="eyebrow"),
        tag("h1", "The papers' experiments on these logs"),
        sections,
        section("How it was made", "The same command does only what is missing.", _settings(command, config)),
        tag("footer", "Written by Adlens. The same figures for programs: experiment.json, beside this page."),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"


def _settings(command: str, config: dict) -> Markup:
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    listed = tag("div", tag("code", text), class_="sample")
    return card(tag("code", command), tag("details", tag("summary", "Configuration"), listed))
