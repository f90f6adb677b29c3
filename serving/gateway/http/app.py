"""The gateway over HTTP."""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.gateway.http.access_tokens import AccessTokens
from serving.gateway.http.error_answers import add_error_answers
from serving.gateway.http.gateway_metrics import GatewayMetrics
from serving.gateway.http.http_guard import PROTECTED, HttpGuard
from serving.gateway.http.http_options import HttpOptions
from serving.gateway.http.inspector_page import InspectorPage
from serving.gateway.http.routes import GatewayRoutes

if TYPE_CHECKING:
    from serving.gateway.engine import Engine

_TITLE, _VERSION = "Adlens gateway", "1"
_TOKEN = "token"


def create_app(
    engine: "Engine",
    options: HttpOptions | None = None,
    tokens: AccessTokens | None = None,
    metrics: GatewayMetrics | None = None,
) -> FastAPI:
    """Makes the gateway's application.

    Args:
        engine: answers; it is started and stopped by whoever made it.
        options: limits.
        tokens: who may ask; None: everybody.
        metrics: where answers are counted; new ones where absent.
    Returns:
        The application of ASGI. `app.state.routes.close()` ends its threads.
    """
    options, metrics = options or HttpOptions(), metrics or GatewayMetrics()
    metrics.watch(engine.status)
    app = FastAPI(title=_TITLE, version=_VERSION, docs_url=None, redoc_url=None, redirect_slashes=False)
    routes = app.state.routes = GatewayRoutes(engine, options, metrics)
    routes.add_to(app)
    if options.serves_inspector:
        InspectorPage().add_to(app)
    app.add_middleware(HttpGuard, options=options, tokens=tokens, metrics=metrics)
    add_error_answers(app)
    description = _openapi(app, has_tokens=tokens is not None)
    app.openapi = lambda: description  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI, has_tokens: bool) -> dict[str, Any]:
    """What OpenAPI says: a mistake in a request is answered with 400, never with the framework's 422."""
    description = get_openapi(title=_TITLE, version=_VERSION, routes=app.routes)
    for path, operations in description["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if has_tokens and path.startswith(PROTECTED):
                operation["security"] = [{_TOKEN: []}]
    components = description["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    if has_tokens:
        components["securitySchemes"] = {_TOKEN: {"type": "http", "scheme": "bearer"}}
    return description
