"""From an item, a text or a picture to the items that are most alike."""

from collections.abc import Mapping, Sequence

import numpy as np

from models.encoder.input_names import INPUT_NAMES
from serving.gateway.answers import SimilarAnswer, SimilarItem
from serving.gateway.config import GatewayConfig
from serving.gateway.deadline import Deadline
from serving.gateway.errors import ModelRefused, PartUnavailable, Unavailable, UnknownItem
from serving.gateway.model_client import ModelClient
from serving.gateway.requests import SimilarRequest
from serving.gateway.similar_items import SimilarItems
from serving.gateway.stores import Stores
from serving.gateway.tensors import Strings
from transforms.canonical_image import canonical_image
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError


class SimilarSearch:
    """Finds similar items by the vector of an item, or that which an encoder gives a text or a picture.

    Args:
        config: names and timeouts.
        models: has the encoders.
        stores: has the items' vectors and columns.
        similar: the items' vectors in memory, by modality.
    """

    def __init__(
        self,
        config: GatewayConfig,
        models: ModelClient,
        stores: Stores,
        similar: Mapping[str, SimilarItems],
    ) -> None:
        self._config, self._models, self._stores, self._similar = config, models, stores, similar

    def search(self, request: SimilarRequest) -> SimilarAnswer:
        """See `Engine.similar`."""
        deadline = Deadline(self._config.request_timeout_seconds)
        without = [] if request.item_id is None else [request.item_id]
        # Another encoder version may be switched to between the vector and the search; hardly twice.
        for _ in range(2):
            modality, version, vector = self._find_vector(request, deadline)
            found = self._similar[modality].search(vector, request.k, without, version)
            if found is not None:
                return SimilarAnswer(modality, self._describe(found, deadline), version)
        raise Unavailable("another encoder version is being switched to")

    def _find_vector(self, request: SimilarRequest, deadline: Deadline) -> tuple[str, str, np.ndarray]:
        """The modality, the encoder version and the vector of what is asked."""
        if request.item_id is not None:
            return self._find_item(request.item_id, request.modality, deadline)
        modality = "image" if request.image is not None else "text"
        version = self._version(modality)
        return modality, version, self._encode(modality, _content(request), version, deadline)

    def _version(self, modality: str) -> str:
        version = self._similar[modality].version
        if version is None:
            raise Unavailable(f"there are no {modality} vectors yet")
        return version

    def _find_item(
        self, item_id: str, modality: str | None, deadline: Deadline
    ) -> tuple[str, str, np.ndarray]:
        """The modality, its version and the vector; of the picture, if nothing else is asked and there is one."""
        wanted = [each for each in self._similar if modality in (None, each)]
        versions = {each: version for each in wanted if (version := self._similar[each].version)}
        if not versions:
            raise Unavailable(f"there are no {modality or 'image or text'} vectors yet")
        for each, version in versions.items():
            try:
                vector = self._stores.vector(each, version, item_id, deadline)
            except PartUnavailable as error:
                raise Unavailable(str(error)) from error
            if vector is not None:
                return each, version, vector
        raise UnknownItem(f"no {modality or 'image or text'} vector of item {item_id!a:.80}")

    def _encode(self, modality: str, content: bytes, version: str, deadline: Deadline) -> np.ndarray:
        name = self._config.encoder(modality)
        if not version.isdecimal():
            raise Unavailable(
                f"the index serves {modality} version {version}, which no {name} can be asked for"
            )
        try:
            answer = self._models.ask(
                name,
                "serving_default",
                lambda _: {INPUT_NAMES[modality]: Strings([content])},
                deadline.limit(self._config.encode_timeout_seconds),
                version,
            )
        except PartUnavailable as error:
            raise Unavailable(str(error)) from error
        except ModelRefused as error:
            raise InputError(f"expected {modality} content that can be encoded, got: {error}") from error
        vector = answer.outputs["embedding"][0]
        if not np.isfinite(vector).all():
            raise InputError(
                f"expected {modality} content that can be encoded, got numbers that are not finite"
            )
        return vector

    def _describe(self, found: Sequence[tuple[str, float]], deadline: Deadline) -> list[SimilarItem]:
        """Titles and columns are for people; without them the answer is still one."""
        try:
            items = self._stores.start_items([item_id for item_id, _ in found]).wait(deadline)
        except PartUnavailable:
            items = [None] * len(found)
        return [
            SimilarItem(item_id, similarity)
            if item is None
            else SimilarItem(item_id, similarity, item.title, item.category_id, item.shop_id)
            for (item_id, similarity), item in zip(found, items, strict=True)
        ]


def _content(request: SimilarRequest) -> bytes:
    """What the encoder gets, in the form that it was trained with.

    Raises:
        InputError: a picture that cannot be read, or a text without words.
    """
    if request.image is not None:
        picture, problem = canonical_image(
            request.image, IngestConfig.max_image_bytes, IngestConfig.max_image_pixels
        )
        if problem is not None:
            raise InputError(f"expected a JPEG, PNG or WebP file, got: {problem}")
        return picture
    if not (request.text or "").strip():
        raise InputError("expected a text with at least one word, got none")
    return (request.text or "").encode()
