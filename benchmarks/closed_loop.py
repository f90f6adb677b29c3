"""Clients that ask for recommendations, each for the next once it has the last one's answer."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks.running_stack import RunningStack, percentile_ms


@dataclass
class LoopResult:
    """What the clients of a closed loop got.

    Attributes:
        elapsed: seconds from the first request to the last answer.
        seconds: of each answer.
        errors: requests that failed, by status or exception.
        degraded: answers by what they say they did without.
        versions: answers by the versions that gave them.
        stages_ms: what the gateway says that its stages took, of each answer.
    """

    elapsed: float = 0.0
    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    versions: Counter[tuple[tuple[str, str], ...]] = field(default_factory=Counter)
    stages_ms: list[Mapping[str, float]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Requests a second, and their times."""
        return {
            "requests": len(self.seconds),
            "requests_per_second": round(len(self.seconds) / self.elapsed, 1),
            "p50_ms": percentile_ms(self.seconds, 0.5),
            "p99_ms": percentile_ms(self.seconds, 0.99),
            "errors": dict(self.errors),
            "degraded": dict(self.degraded),
        }

    @property
    def failed(self) -> int:
        """Requests without an answer, or with another status than 200."""
        return sum(self.errors.values())

    def served(self, model: str) -> set[str]:
        """The versions of a model that answered."""
        return {dict(versions).get(model, "") for versions in self.versions}


def closed_loop(
    stack: RunningStack,
    bodies: Sequence[Mapping[str, Any]],
    num_clients: int,
    goes_on: Callable[[float], bool],
) -> LoopResult:
    """Asks for recommendations.

    Args:
        stack: answers.
        bodies: of the requests; each client goes through them from a place of its own.
        num_clients: at once.
        goes_on: told the seconds since the start; whether to ask for more.
    """
    result = LoopResult()
    lock = threading.Lock()
    started = time.perf_counter()

    def ask(number: int) -> None:
        client = stack.client()
        place = number * len(bodies) // num_clients
        while goes_on(time.perf_counter() - started):
            body = bodies[place % len(bodies)]
            place += 1
            try:
                answer = client.post("/v1/recommend", body)
            except (OSError, http.client.HTTPException) as error:
                with lock:
                    result.errors[type(error).__name__] += 1
                continue
            with lock:
                result.seconds.append(answer.seconds)
                if answer.status != 200:
                    result.errors[f"{answer.status}: {answer.body}"] += 1
                    continue
                result.degraded.update(answer.body["degraded"])
                result.versions[tuple(sorted(answer.body["versions"].items()))] += 1
                result.stages_ms.append(answer.body["timings_ms"])

    with ThreadPoolExecutor(num_clients) as pool:
        for each in [pool.submit(ask, number) for number in range(num_clients)]:
            each.result()
    result.elapsed = time.perf_counter() - started
    return result
