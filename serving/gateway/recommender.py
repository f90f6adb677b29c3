"""From a user to ranked ads."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from serving.gateway.answers import Ad, RecommendAnswer, Why
from serving.gateway.columns import check_known
from serving.gateway.config import GatewayConfig
from serving.gateway.current_release import CurrentRelease
from serving.gateway.deadline import Deadline
from serving.gateway.errors import PartUnavailable, Unavailable
from serving.gateway.explanation import explain
from serving.gateway.model_client import ModelClient
from serving.gateway.ranker import SCORE_CANDIDATES, Ranker
from serving.gateway.recaller import DEFAULT_SIGNATURE, Recaller
from serving.gateway.recommend_run import RecommendRun
from serving.gateway.requests import Behavior, RecommendRequest
from serving.gateway.stores import Stores
from serving.item_store.stored_item import StoredItem
from serving.release.release import Release


class Recommender:
    """Recalls, reorders and ranks, and goes on without a part that fails where it can.

    Args:
        config: names, sizes and timeouts.
        models: recall and ranking.
        stores: items' columns and vectors.
        recaller: the first stage.
        ranker: the second stage.
        release: says whether there is a first stage.
    """

    def __init__(
        self,
        config: GatewayConfig,
        models: ModelClient,
        stores: Stores,
        recaller: Recaller,
        ranker: Ranker,
        release: CurrentRelease,
    ) -> None:
        self._config, self._models, self._stores = config, models, stores
        self._recaller, self._ranker, self._release = recaller, ranker, release

    def recommend(self, request: RecommendRequest) -> RecommendAnswer:
        """See `Engine.recommend`."""
        release = self._release.release
        if release is None:
            raise Unavailable(f"no release is pushed yet: expected {self._release.path}")
        if release.recall is None and not request.also_rank:
            raise Unavailable(f"release {release.number} has no recall model: name items in also_rank")
        run = RecommendRun(request, Deadline(self._config.request_timeout_seconds))
        self._check_features(run, release)
        self._complete_behaviors(run)
        if release.recall is not None:
            self._recaller.recall(run)
        recalled = list(run.recall_scores)[: self._config.num_ranked]
        run.candidates = list(dict.fromkeys([*recalled, *request.also_rank]))
        self._read(run)
        with run.timing("rank"):
            self._ranker.rank(run)
        return self._answer(run, recalled, release)

    def _check_features(self, run: RecommendRun, release: Release) -> None:
        """Checks the names of the user's features, once both models have told theirs."""
        config, known = self._config, set[str]()
        asked: list[tuple[str, str, int | None]] = [(config.ctr_model, SCORE_CANDIDATES, 1)]
        if release.recall is not None:
            asked.append((config.recall_model, DEFAULT_SIGNATURE, None))
        for model, signature, size in asked:
            try:
                timeout = run.deadline.limit(config.recall_timeout_seconds)
                found = self._models.signatures(model, timeout).get(signature)
            except PartUnavailable:
                # A name that the other model does not know may be one of this model's.
                return
            known.update(found.features(size) if found else ())
        check_known(run.request.user, known)

    def _complete_behaviors(self, run: RecommendRun) -> None:
        """Looks up the categories and shops that the request does not say."""
        lacking = {each.item_id for each in run.behaviors if each.category_id is None or each.shop_id is None}
        if lacking:
            with run.timing("items"):
                found = self._items(run, sorted(lacking))
            run.behaviors = [_completed(each, found.get(each.item_id)) for each in run.behaviors]

    def _read(self, run: RecommendRun) -> None:
        """Reads the candidates' columns, and their vectors and the behaviors'."""
        run.modalities = self._ranker.modalities(run)
        modalities = set(run.modalities)
        if run.request.explain:
            modalities.update(self._stores.served())
        with run.timing("embeddings"):
            self._read_vectors(run, modalities)
        with run.timing("items"):
            run.items = self._items(run, run.candidates)

    def _read_vectors(self, run: RecommendRun, modalities: Collection[str]) -> None:
        item_ids = list(dict.fromkeys([*run.candidates, *(each.item_id for each in run.behaviors)]))
        try:
            calls = {each: self._stores.start_vectors(each, item_ids) for each in sorted(modalities)}
            for modality, call in calls.items():
                version, vectors = call.wait(run.deadline)
                if version is None:
                    run.degrade("embeddings", f"the embedding index serves no version of {modality} yet")
                    continue
                run.versions[f"{modality}_encoder"] = version
                there = zip(item_ids, vectors, strict=True)
                run.vectors[modality] = {item_id: each for item_id, each in there if each is not None}
        except PartUnavailable as error:
            run.degrade("embeddings", error)

    def _items(self, run: RecommendRun, item_ids: Sequence[str]) -> dict[str, StoredItem]:
        try:
            found = self._stores.start_items(item_ids).wait(run.deadline)
        except PartUnavailable as error:
            run.degrade("items", error)
            return {}
        return {each.item_id: each for each in found if each is not None}

    def _answer(self, run: RecommendRun, recalled: Sequence[str], release: Release) -> RecommendAnswer:
        request = run.request
        ranked = _by_score(run, recalled if run.scores is None else run.candidates)
        may_lead, also = set(recalled), set(request.also_rank)
        best = [each for each in ranked if each in may_lead][: request.k]
        behind = also.difference(best)
        shown = [*best, *_by_score(run, [each for each in run.candidates if each in behind])]
        why = self._explain(run, shown, release) if request.explain else {}
        ranked_by = "recall" if run.scores is None else "ctr"
        ranks, recall_ranks = _ranks(ranked), _ranks(run.recall_scores)
        ads = [
            Ad(
                item_id,
                None if run.scores is None else run.scores[item_id],
                run.recall_scores.get(item_id),
                ranked_by,
                **_columns(run.items.get(item_id)),
                also_ranked=item_id in also,
                rank=ranks.get(item_id),
                recall_rank=recall_ranks.get(item_id),
                why=why.get(item_id),
            )
            for item_id in shown
        ]
        return RecommendAnswer(ads, run.degraded, ranked_by, run.versions, run.timings_ms)

    def _explain(self, run: RecommendRun, item_ids: Sequence[str], release: Release) -> dict[str, Why]:
        try:
            empty = {each: self._empty(run, each, item_ids) for each in run.vectors}
        except PartUnavailable as error:
            run.degrade("embeddings", error)
            empty = {}
        return explain(run, item_ids, empty, release.ctr.num_tiers)

    def _empty(self, run: RecommendRun, modality: str, item_ids: Sequence[str]) -> set[str]:
        """The items that the index knows to have no such content."""
        asked = [each for each in item_ids if each not in run.vectors[modality]]
        known = self._stores.known(modality, run.versions[f"{modality}_encoder"], asked, run.deadline)
        return {item_id for item_id, is_known in zip(asked, known, strict=True) if is_known}


def _by_score(run: RecommendRun, item_ids: Sequence[str]) -> list[str]:
    """By descending probability; in their own order, which is recall's, where there are none."""
    scores = run.scores
    return list(item_ids) if scores is None else sorted(item_ids, key=lambda each: -scores[each])


def _completed(behavior: Behavior, item: StoredItem | None) -> Behavior:
    if item is None:
        return behavior
    category_id = item.category_id if behavior.category_id is None else behavior.category_id
    shop_id = item.shop_id if behavior.shop_id is None else behavior.shop_id
    return Behavior(behavior.item_id, category_id, shop_id)


def _columns(item: StoredItem | None) -> dict[str, Any]:
    """What an ad shows of its item."""
    names = ("title", "category_id", "shop_id")
    return dict.fromkeys(names) if item is None else {name: getattr(item, name) for name in names}


def _ranks(item_ids: Iterable[str]) -> dict[str, int]:
    """1 for the first."""
    return {item_id: place for place, item_id in enumerate(item_ids, start=1)}
