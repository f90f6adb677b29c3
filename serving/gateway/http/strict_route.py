"""How bodies are read: JSON to the letter."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from serving.gateway.http.http_error import HttpError


class StrictRoute(APIRoute):
    """Takes bodies that are JSON to the letter, and say so.

    No NaN and no infinity, no text that is no UTF-8, nothing nested deeper than 200 times, and no number of
    thousands of digits.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with another reader of the body."""
        handle = super().get_route_handler()
        has_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if has_body and kind != "application/json":
                raise HttpError(415, f"expected Content-Type: application/json, got {kind[:80] or 'none'}")
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as error:
            raise HTTPException(400, f"body: expected JSON: {error}") from error
