"""Errors of the engine and of the framework as answers of HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from serving.gateway.errors import TimedOut, Unavailable, UnknownItem
from serving.gateway.http.http_error import HttpError, overloaded
from serving.item_queue.errors import QueueFull
from transforms.input_error import InputError

_MAX_SHOWN = 80
_MAX_PLACE = 200


def add_error_answers(app: FastAPI) -> None:
    """Lets an application answer each error in the one shape that all have."""
    translations: dict[type[Exception], Callable[[Request, Any], HttpError]] = {
        HttpError: lambda _, error: error,
        HTTPException: _framework_error,
        RequestValidationError: lambda _, error: HttpError(400, _first_mistake(error)),
        InputError: lambda _, error: HttpError(400, str(error)),
        UnknownItem: lambda _, error: HttpError(404, str(error)),
        QueueFull: lambda _, error: overloaded(str(error)),
        TimedOut: lambda _, error: HttpError(504, str(error)),
        Unavailable: lambda _, error: overloaded(str(error)),
        Exception: lambda _request, _error: HttpError(500, "the gateway failed; its log says why"),
    }
    for kind, translate in translations.items():
        app.add_exception_handler(kind, _handler(translate))


def _handler(
    translate: Callable[[Request, Any], HttpError],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        found = translate(request, error)
        return Response(found.body(), found.status, found.headers, media_type="application/json")

    return answer


def _framework_error(request: Request, error: HTTPException) -> HttpError:
    if error.status_code == 404:
        return HttpError(404, f"there is nothing at {request.scope['path'][:_MAX_PLACE]}")
    if error.status_code == 405:
        allowed = ", ".join(_allowed_methods(request))
        return HttpError(405, f"expected {allowed}, got {request.method}", {"Allow": allowed})
    return HttpError(error.status_code, str(error.detail), error.headers)


def _allowed_methods(request: Request) -> list[str]:
    """Of all routes that match the path; the framework names those of the first one."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods)


def _first_mistake(error: RequestValidationError) -> str:
    """Where the first mistake is, what is expected there, and what came."""
    found = error.errors()[0]
    place = ".".join(str(part) for part in found["loc"])[:_MAX_PLACE]
    came = found.get("input")
    is_shown = isinstance(came, str | int | float) and found["type"] != "extra_forbidden"
    shown = f", got {came[:_MAX_SHOWN] if isinstance(came, str) else came!r:.80}" if is_shown else ""
    return f"{place}: {found['msg']}{shown}"
