"""The gateway's answers by method and path."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor

from serving.gateway.answers import RecommendAnswer, SimilarAnswer
from serving.gateway.errors import UnknownItem
from serving.gateway.http import schemas
from serving.gateway.http.gateway_metrics import GatewayMetrics
from serving.gateway.http.http_error import overloaded
from serving.gateway.http.http_options import HttpOptions
from serving.gateway.http.picture_header import CONTENT_TYPES, picture_type
from serving.gateway.http.strict_route import StrictRoute
from serving.gateway.http.work_pool import WorkPool
from serving.gateway.requests import Behavior, RecommendRequest, SimilarRequest
from serving.item_queue.new_item import NewItem
from transforms.input_error import InputError

if TYPE_CHECKING:
    from serving.gateway.engine import Engine

METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_ERRORS = {
    400: "The request is wrong.",
    401: "There is no known token.",
    404: "There is no such item.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    429: "There are too many requests.",
    503: "A part does not answer, nothing is pushed yet, or too many requests wait.",
    504: "There was no answer in time.",
}
# What is answered to everybody, at any rate.
_COMMON: dict[str, tuple[int, ...]] = {"/health": (), "/ready": (503,)}
_ITEM = "/v1/items/{item_id:item}"

Limit = Annotated[int, Query(ge=1, le=1_000, description="how many, at most")]
After = Annotated[schemas.Group, Query(description="the items behind this id")]


class GatewayRoutes:
    """The gateway's answers by method and path.

    Args:
        engine: answers.
        options: limits.
        metrics: where answers are counted.
    """

    def __init__(self, engine: "Engine", options: HttpOptions, metrics: GatewayMetrics) -> None:
        self.engine = engine
        self.options = options
        self.metrics = metrics
        limits = (options.max_running, options.max_waiting, options.deadline_seconds)
        # Each kind has its own threads: a disk that hangs stops no recommendation, and load hides no state.
        self._answers, self._writes = WorkPool("answers", *limits), WorkPool("writes", *limits)
        self._probes = WorkPool("probes", 2, options.max_waiting, options.deadline_seconds)

    def close(self) -> None:
        """Ends the threads, once what runs has returned."""
        for pool in (self._answers, self._writes, self._probes):
            pool.close()

    def add_to(self, app: FastAPI) -> None:
        """Adds everything but the page."""
        app.router.route_class = StrictRoute
        asked = (400, 408, 413, 415)
        _add(app, "PUT", _ITEM, self.put_item, schemas.Queued, asked, status_code=202)
        _add(app, "GET", _ITEM, self.item, schemas.ItemState, (400, 404))
        _add(app, "GET", f"{_ITEM}/image", self.image, None, (400, 404))
        _add(app, "GET", "/v1/items", self.items, schemas.Items, (400,))
        _add(app, "GET", "/v1/dead-letters", self.dead_letters, schemas.DeadLetters, (400,))
        _add(app, "POST", "/v1/recommend", self.recommend, schemas.Recommended, asked)
        _add(app, "POST", "/v1/similar", self.similar, schemas.Similar, (*asked, 404))
        _add(app, "GET", "/v1/sample-users", self.sample_users, schemas.SampleUsers)
        _add(app, "GET", "/v1/status", self.status, schemas.Status)
        _add(app, "GET", "/metrics", self.metrics_page, None)
        _add(app, "GET", "/health", self.health, schemas.Health)
        _add(app, "GET", "/ready", self.ready, schemas.Readiness)

    async def put_item(self, item_id: schemas.ItemId, body: schemas.PutItem) -> schemas.Queued:
        """Queues a new or changed item.

        It is found and ranked once it is encoded, within seconds.
        """
        self._check_picture(body.image)
        item = NewItem(
            item_id, body.image, body.title, body.category_id, body.shop_id, introduced_at=time.time()
        )
        await self._writes.run(self.engine.put_item, item, body.features)
        self.metrics.count_new_item()
        return schemas.Queued(item_id=item_id, introduced_at=item.introduced_at)

    async def item(self, item_id: schemas.ItemId) -> Any:
        """What is known of an item."""
        answer = await self._answers.run(self.engine.item, item_id)
        state = {name: value for name, value in vars(answer).items() if name != "item"}
        return vars(answer.item) | state

    async def image(self, item_id: schemas.ItemId) -> Response:
        """An item's picture."""
        data = await self._answers.run(self.engine.image, item_id)
        try:
            kind = picture_type(data, len(data), sys.maxsize)
        except InputError as error:
            raise UnknownItem(f"no picture of {item_id!a:.80} that can be shown") from error
        return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=10"})

    async def items(self, limit: Limit = 50, after: After = "") -> Any:
        """Items by the order of their ids."""
        return {"items": await self._answers.run(self.engine.list_items, limit, after)}

    async def dead_letters(self, limit: Limit = 50) -> Any:
        """Items that could not be encoded, the latest first."""
        return {"dead_letters": await self._writes.run(self.engine.dead_letters, limit)}

    async def recommend(self, body: schemas.AskRecommend) -> RecommendAnswer:
        """The ads that a user is most likely to click.

        `degraded` says what the answer did without: "ranking" (recall's order, no scores), "reorder",
        "embeddings" (scores without content) or "items" (scores without the items' columns).
        """
        behaviors = [Behavior(**vars(each)) for each in body.behaviors]
        request = RecommendRequest(**{**vars(body), "behaviors": behaviors})
        answer = await self._answers.run(self.engine.recommend, request)
        self.metrics.count_answer(answer.degraded, answer.timings_ms)
        return answer

    async def similar(self, body: schemas.AskSimilar) -> SimilarAnswer:
        """The items nearest to an item, a text or a picture."""
        self._check_picture(body.image)
        return await self._answers.run(self.engine.similar, SimilarRequest(**vars(body)))

    async def sample_users(self) -> Any:
        """Users of the release to try requests with."""
        return {"sample_users": await self._answers.run(self.engine.sample_users)}

    async def status(self) -> Any:
        """The gateway's state."""
        return await self._probes.run(self.engine.status)

    async def metrics_page(self) -> Response:
        """Metrics for Prometheus."""
        return Response(await self._probes.run(self.metrics.page), media_type=METRICS_TYPE)

    async def health(self) -> schemas.Health:
        """Whether the process lives."""
        return schemas.Health()

    async def ready(self) -> schemas.Readiness:
        """Whether requests can be answered."""
        if reasons := self.engine.readiness():
            raise overloaded("; ".join(reasons))
        return schemas.Readiness()

    def _check_picture(self, picture: bytes | None) -> None:
        if picture is not None:
            picture_type(picture, self.options.max_image_bytes, self.options.max_image_pixels)


class _ItemIdConvertor(Convertor[str]):
    """A part of a path as it came, of which a slash is `%2F`."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        # What is no UTF-8 becomes surrogates, which no item id may have.
        return unquote(value, errors="surrogateescape")

    def to_string(self, value: str) -> str:
        raise NotImplementedError("no route is named")


register_url_convertor("item", _ItemIdConvertor())


def _add(
    app: FastAPI,
    method: str,
    path: str,
    answer: Callable[..., Any],
    model: type[BaseModel] | None,
    errors: tuple[int, ...] = (),
    status_code: int = 200,
) -> None:
    codes = {*errors, *_COMMON[path]} if path in _COMMON else {*errors, 401, 429, 503, 504}
    responses: dict[int | str, dict[str, Any]] = {
        code: {"model": schemas.Error, "description": _ERRORS[code]} for code in sorted(codes)
    }
    if model is None:
        kinds = (METRICS_TYPE,) if path == "/metrics" else CONTENT_TYPES.values()
        responses[200] = {"content": {kind: {"schema": {"type": "string"}} for kind in kinds}}
    app.add_api_route(
        path,
        answer,
        methods=[method],
        response_model=model,
        response_class=JSONResponse if model else Response,
        responses=responses,
        status_code=status_code,
    )
