"""Reads a page as tests look at it."""

import re
from html.parser import HTMLParser

VOID = ("meta", "br", "img")


class PageReader(HTMLParser):
    """Collects elements and visible text, and checks that elements close in order.

    Attributes:
        elements: (name, attributes) of each, as they begin.
        text: what stands between the tags, without styles.
        open: the elements that have not ended, none at the end.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def of(self, tag: str, kind: str | None = None) -> list[dict[str, str | None]]:
        """The attributes of all elements of a name, and of a class if one is given."""
        return [own for name, own in self.elements if name == tag and kind in (None, own.get("class"))]


def words(html: str) -> str:
    """The visible text, with single blanks."""
    return re.sub(r"\s+", " ", " ".join(PageReader(html).text))
