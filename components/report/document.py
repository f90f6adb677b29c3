"""What all HTML pages are framed by."""

from components.report.markup import Markup, tag

# Should a value from the logs ever become markup, this keeps it from loading or running anything.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_document(title: str, style: str, body: Markup) -> str:
    """A whole page that needs neither the network nor a script."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"
