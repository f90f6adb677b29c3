"""The inspector page's files."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from fastapi import FastAPI, Response

PAGE_POLICY = "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; frame-ancestors 'none'"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX = "index.html"


class InspectorPage:
    """The inspector page's files, read once: what a request names is looked up, never opened.

    Attributes:
        contents: by name of a file its type and bytes.
    """

    def __init__(self) -> None:
        self.contents: dict[str, tuple[str, bytes]] = {}
        for file in files("serving.gateway").joinpath("inspector").iterdir():
            suffix = file.name[file.name.rfind(".") :]
            if suffix in _TYPES:
                self.contents[file.name] = (_TYPES[suffix], file.read_bytes())

    def add_to(self, app: FastAPI) -> None:
        """Adds the page at `/`, its other files below `/static/`; none of it is in OpenAPI."""
        for name in self.contents:
            path = "/" if name == _INDEX else f"/static/{name}"
            app.add_api_route(path, self._answer(name), methods=["GET"], include_in_schema=False)

    def _answer(self, name: str) -> Callable[[], Awaitable[Response]]:
        kind, content = self.contents[name]
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache", "Content-Type": kind}

        async def answer() -> Response:
            return Response(content, headers=headers)

        return answer
