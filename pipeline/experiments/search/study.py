"""The study in its database: what its trials are, and how it draws them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.experiments.jobs import storage
from pipeline.experiments.search.space import Candidate, Space
from pipeline.models.dscnn import parse

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, TrialState


def seeded_sampler(seed: int) -> BaseSampler:
    """Multi-objective TPE (Ozaki et al. 2022) that models widths and strides together and learns
    from infeasible draws. What it draws depends on the seed, the trial's number and the trials
    before it, so a search that was interrupted goes on as if it had not been."""
    import numpy as np
    import optuna

    class SeededByTrial(optuna.samplers.BaseSampler):
        _sampler: optuna.samplers.TPESampler

        def before_trial(self, study: Study, trial: FrozenTrial) -> None:
            state = np.random.SeedSequence([seed, trial.number]).generate_state(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._sampler = optuna.samplers.TPESampler(
                    seed=int(state[0]), multivariate=True, group=True, n_startup_trials=20
                )
            self._sampler.before_trial(study, trial)

        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            return self._sampler.infer_relative_search_space(study, trial)

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            return self._sampler.sample_relative(study, trial, search_space)

        def sample_independent(
            self,
            study: Study,
            trial: FrozenTrial,
            param_name: str,
            param_distribution: BaseDistribution,
        ) -> Any:
            return self._sampler.sample_independent(study, trial, param_name, param_distribution)

        def after_trial(
            self,
            study: Study,
            trial: FrozenTrial,
            state: TrialState,
            values: Sequence[float] | None,
        ) -> None:
            self._sampler.after_trial(study, trial, state, values)

    return SeededByTrial()


def name_trial(trial: Trial, candidate: Candidate) -> None:
    """Writes down what a trial is, so that it can be found, compared and put back."""
    trial.set_user_attr("backbone", candidate.shape.name)
    trial.set_user_attr("window", candidate.window)


def candidate_of(trial: FrozenTrial | Trial) -> Candidate | None:
    """What `name_trial` or `enqueue` wrote; ``None`` before that."""
    backbone, window = trial.user_attrs.get("backbone"), trial.user_attrs.get("window")
    return None if backbone is None or window is None else Candidate(parse(backbone), int(window))


def key_of(trial: FrozenTrial) -> str | None:
    """`Candidate.key` of a trial."""
    candidate = candidate_of(trial)
    return candidate.key if candidate else None


def enqueue(study: Study, space: Space, candidates: Sequence[Candidate]) -> None:
    """Puts candidates at the head of the queue, those apart that the study already knows."""
    known = {key_of(trial) for trial in study.get_trials(deepcopy=False)}
    for candidate in candidates:
        if candidate.key not in known:
            known.add(candidate.key)
            _enqueue(study, space, candidate)


def _enqueue(study: Study, space: Space, candidate: Candidate) -> None:
    named = {"backbone": candidate.shape.name, "window": candidate.window}
    study.enqueue_trial(space.parameters(candidate), user_attrs=named)


def put_back(study: Study, definition: dict[str, Any]) -> None:
    """Queues anew what failed."""
    space = Space(tuple(definition["space"]["windows"]))

    def again(trial: FrozenTrial) -> None:
        candidate = candidate_of(trial)
        assert candidate is not None
        _enqueue(study, space, candidate)

    storage.put_back(study, key_of, again)
