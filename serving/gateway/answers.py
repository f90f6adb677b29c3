"""What the gateway answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.item_store.stored_item import StoredItem


@dataclass(frozen=True)
class Why:
    """What an ad's content has to do with a user's behaviors, by modality.

    Attributes:
        content: where the ranking model has the ad's vector from: "index"; "model", if the index has none of it,
            so that the model takes the one that it was saved with, if it has one; "none" where the item is
            known to have no such content.
        similarities: of each behavior of the request, in its order, the cosine with the ad; None where either
            has no vector in the index.
        tiers: how many of these lie in each of the release's `num_tiers` tiers of equal width over [-1, 1];
            1.0 lies in the last one.
    """

    content: Mapping[str, str]
    similarities: Mapping[str, Sequence[float | None]]
    tiers: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Ad:
    """A ranked item.

    Attributes:
        item_id: the item.
        score: probability of a click; None where the ranking model did not answer.
        recall_score: what recall gave it, after reordering; None where it was not recalled.
        rank_by: "ctr" or "recall", whose score it is ranked by.
        title: as the item store has it; None where there is none.
        category_id: as well; None where the store does not know the item or did not answer.
        shop_id: as well.
        also_ranked: whether it is here because the request named it in `also_rank`.
        rank: 1 for the best of all that were ranked, of which the answer has only some.
        recall_rank: 1 for what recall gave the most, after reordering; None where it was not recalled.
        why: None unless the request asked for it.
    """

    item_id: str
    score: float | None
    recall_score: float | None
    rank_by: str
    title: str | None = None
    category_id: str | None = None
    shop_id: str | None = None
    also_ranked: bool = False
    rank: int | None = None
    recall_rank: int | None = None
    why: Why | None = None


@dataclass(frozen=True)
class RecommendAnswer:
    """The ads for a user.

    Attributes:
        ads: the best first: at most `k`, and behind them what `also_rank` named and is not among these.
        degraded: which parts did without what they lacked, of "ranking", "reorder", "embeddings" and "items".
        ranked_by: "ctr", or "recall" where ranking did not answer.
        versions: which version answered, by "recall", "ctr", "image_encoder" and "text_encoder".
        timings_ms: what took how long: "recall", "retrieve", "reorder", "items", "embeddings", "rank".
    """

    ads: Sequence[Ad]
    degraded: Sequence[str]
    ranked_by: str
    versions: Mapping[str, str]
    timings_ms: Mapping[str, float]


@dataclass(frozen=True)
class SimilarItem:
    """An item near to what was asked.

    Attributes:
        item_id: the item.
        similarity: cosine, from -1 to 1.
        title: as the item store has it; None where there is none.
        category_id: as well; None where the store does not know the item or did not answer.
        shop_id: as well.
    """

    item_id: str
    similarity: float
    title: str | None = None
    category_id: str | None = None
    shop_id: str | None = None


@dataclass(frozen=True)
class SimilarAnswer:
    """The items nearest to what was asked.

    Attributes:
        modality: "image" or "text".
        items: the nearest first.
        version: of the encoder whose vectors were compared.
    """

    modality: str
    items: Sequence[SimilarItem]
    version: str


@dataclass(frozen=True)
class ItemAnswer:
    """What is known of an item.

    Attributes:
        item: its columns.
        has_image: whether the item store has a picture.
        modalities: by "image" and "text": "ready" (its vector is served), "none" (it has no such content), or
            "waiting" (its content, or its newest, is not encoded yet).
        searchable: whether `similar` finds it.
        recallable: whether `recommend` may recall it.
    """

    item: StoredItem
    has_image: bool
    modalities: Mapping[str, str]
    searchable: bool
    recallable: bool
