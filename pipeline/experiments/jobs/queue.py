"""The jobs of a sweep as trials of a study: queued, claimed, finished, failed."""

from __future__ import annotations

import copy
import json
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pipeline.experiments.jobs.storage import fail_stale, open_study, put_back

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

JOB, RESULT, SECONDS, ERROR, TRACEBACK = "job", "result", "seconds", "error", "traceback"


def key_of(job: dict[str, Any]) -> str:
    """Two jobs are the same if their keys are. ValueError or TypeError for what is no JSON."""
    return json.dumps(job, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _key(trial: FrozenTrial) -> str | None:
    """``None`` of what was queued twice and set aside, and of what is no job."""
    from optuna.trial import TrialState

    job = trial.user_attrs.get(JOB)
    return None if job is None or trial.state == TrialState.PRUNED else key_of(job)


class Queue:
    """``jobs`` in the study called ``name``. Every method may raise what the database raises."""

    def __init__(
        self,
        url: str,
        name: str,
        definition: dict[str, Any],
        jobs: Sequence[dict[str, Any]],
        *,
        command: str,
        heartbeat_s: int,
    ) -> None:
        """Raises as `open_study`."""
        self._keys = [key_of(job) for job in jobs]
        self._jobs = dict(zip(self._keys, jobs, strict=True))
        self._heartbeat_s = heartbeat_s
        self._study, self._storage = open_study(
            url,
            name,
            definition,
            command=command,
            heartbeat_s=heartbeat_s,
            on_stale=self._on_stale,
        )
        self._study_id = self._storage.get_study_id_from_name(name)

    def fill(self) -> None:
        """Queues the jobs that the study does not have, and again those that failed."""
        put_back(self._study, self._own_key, self._enqueue, most=None)
        known = self.standing()
        for key, job in self._jobs.items():
            if key not in known:
                self._study.enqueue_trial({}, user_attrs={JOB: job})

    def standing(self) -> dict[str, FrozenTrial]:
        """Key -> the trial that counts, in the order of the jobs: the first that is complete, else
        the first that is running, waiting, else the last that failed."""
        from optuna.trial import TrialState

        ranks = {TrialState.COMPLETE: 0, TrialState.RUNNING: 1, TrialState.WAITING: 2}
        ranks[TrialState.FAIL] = 3
        best: dict[str, FrozenTrial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            key = self._own_key(trial)
            if key is None:
                continue
            rank = ranks[trial.state]
            other = best.get(key)
            if other is None or rank < ranks[other.state] or rank == ranks[TrialState.FAIL]:
                best[key] = trial
        return {key: best[key] for key in self._keys if key in best}

    def claim(self) -> FrozenTrial | None:
        """A waiting job, which is now running here; ``None`` when there is none."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        fail_stale(self._study)
        for key, trial in self.standing().items():
            if trial.state != TrialState.WAITING:
                continue
            number = self._id(trial)
            self._storage.record_heartbeat(number)  # first, or dying here would never be noticed
            with suppress(UpdateFinishedTrialError):
                if not self._storage.set_trial_state_values(number, TrialState.RUNNING):
                    continue
                if self.standing()[key].number == trial.number:
                    return trial
                # Two machines queued it at the same time, and another has it.
                self._storage.set_trial_state_values(number, TrialState.PRUNED)
        return None

    def job(self, trial: FrozenTrial) -> dict[str, Any]:
        """A copy of what the trial is to do."""
        job: dict[str, Any] = copy.deepcopy(trial.user_attrs[JOB])
        return job

    @contextmanager
    def alive(self, trial: FrozenTrial) -> Iterator[None]:
        """Gives signs of life while the block runs."""
        number, stop = self._id(trial), threading.Event()

        def beat() -> None:
            while not stop.wait(self._heartbeat_s):
                # A database that is away now may be back at the end, where an error counts.
                with suppress(Exception):
                    self._storage.record_heartbeat(number)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def finish(self, trial: FrozenTrial, result: dict[str, Any], seconds: float) -> None:
        """The job is done and never run again."""
        from optuna.trial import TrialState

        with self._of_mine():
            number = self._id(trial)
            self._storage.set_trial_user_attr(number, RESULT, result)
            self._storage.set_trial_user_attr(number, SECONDS, seconds)
            self._storage.set_trial_state_values(number, TrialState.COMPLETE, [seconds])

    def fail(self, trial: FrozenTrial, error: BaseException) -> None:
        """The job did not end well. What was only interrupted waits again."""
        from optuna.trial import TrialState

        reason = str(error).partition("\n")[0] or "no reason given"
        lines = "".join(traceback.format_exception(error))
        with self._of_mine():
            number = self._id(trial)
            self._storage.set_trial_user_attr(number, ERROR, f"{type(error).__name__}: {reason}")
            self._storage.set_trial_user_attr(number, TRACEBACK, lines[-4000:])
            if isinstance(error, KeyboardInterrupt):
                self._enqueue(trial)  # first: at no moment does it look given up
            self._storage.set_trial_state_values(number, TrialState.FAIL)

    @contextmanager
    def _of_mine(self) -> Iterator[None]:
        """This machine slept so long that another worker has put the trial back: let it."""
        from optuna.exceptions import UpdateFinishedTrialError

        with suppress(UpdateFinishedTrialError):
            yield

    def _own_key(self, trial: FrozenTrial) -> str | None:
        key = _key(trial)
        return key if key in self._jobs else None

    def _enqueue(self, trial: FrozenTrial) -> None:
        self._study.enqueue_trial({}, user_attrs={JOB: trial.user_attrs[JOB]})

    def _on_stale(self, study: Study, lost: FrozenTrial) -> None:
        """A worker died: its job is put back, but not what failed by itself."""
        key = _key(lost)
        put_back(study, lambda trial: key if _key(trial) == key else None, self._enqueue)

    def _id(self, trial: FrozenTrial) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial.number)
