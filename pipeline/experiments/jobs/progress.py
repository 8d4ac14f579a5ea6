"""What a sweep tells whoever watches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.experiments.jobs.queue import JOB, RESULT, SECONDS, key_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Finished:
    """A job that is done: what it gave, and the seconds that it took."""

    job: dict[str, Any]
    result: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Progress:
    """``done``, ``failed`` of ``total`` jobs; ``running``: those that any machine works on.
    ``seconds_left``: estimated from the seconds of finished jobs; ``None`` before the first.
    ``last``: told once of every job that finishes while one watches."""

    done: int
    failed: int
    total: int
    running: tuple[dict[str, Any], ...]
    seconds_left: float | None
    last: Finished | None


class Tracker:
    """Calls ``on_progress`` once for every job that has finished since the last look, or once."""

    def __init__(
        self,
        jobs: Sequence[dict[str, Any]],
        cost: Callable[[dict[str, Any]], float],
        workers: int,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._costs = {key_of(job): cost(job) for job in jobs}
        self._workers = workers
        self._on_progress = on_progress
        self._done: set[str] | None = None
        self._since: dict[tuple[str, int], float] = {}  # running trial -> monotonic seconds

    def look(self, standing: Mapping[str, FrozenTrial]) -> None:
        """``standing``: as `Queue.standing`."""
        by_state: dict[str, dict[str, FrozenTrial]] = {}
        for key, trial in standing.items():
            by_state.setdefault(trial.state.name, {})[key] = trial
        done, running = by_state.get("COMPLETE", {}), by_state.get("RUNNING", {})
        now = time.monotonic()
        trials = [(key, trial.number) for key, trial in running.items()]
        self._since = {each: self._since.get(each, now) for each in trials}
        before = done.keys() if self._done is None else self._done
        told = [trial.user_attrs for key, trial in done.items() if key not in before]
        news = [Finished(each[JOB], each[RESULT], each[SECONDS]) for each in told]
        for last in news or (None,):
            self._on_progress(
                Progress(
                    done=len(done),
                    failed=len(by_state.get("FAIL", {})),
                    total=len(self._costs),
                    running=tuple(trial.user_attrs[JOB] for trial in running.values()),
                    seconds_left=self._seconds_left(done, [*by_state.get("WAITING", {})], now),
                    last=last,
                )
            )
        self._done = set(done)

    def _seconds_left(
        self, done: Mapping[str, FrozenTrial], waiting: Sequence[str], now: float
    ) -> float | None:
        cost = sum(self._costs[key] for key in done)
        if not cost:
            return None
        each: float = sum(trial.user_attrs[SECONDS] for trial in done.values()) / cost
        left = [each * self._costs[key] for key in waiting]
        left += [
            max(0.0, each * self._costs[key] - (now - start))
            for (key, _), start in self._since.items()
        ]
        parallel = max(self._workers, len(self._since))
        return max([sum(left) / parallel, *left])
