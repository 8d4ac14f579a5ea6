"""What a search learns from and is judged by. The split's test subjects are left out before
anything is cut into windows: no network ever sees a sample of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from pipeline.core.errors import InputError
from pipeline.data import (
    Dataset,
    SubjectSplit,
    Windows,
    load_dataset,
    make_windows,
    split_subjects,
)
from pipeline.experiments.search.space import Candidate


@dataclass(frozen=True)
class Setting:
    """What all candidates of a search share: what `gather` takes, and the epochs of each."""

    dataset: str
    split: str = "official"
    fold: int = 0
    draws: int = 1
    seed: int = 0
    epochs: int = 8


@dataclass(frozen=True, eq=False)
class SearchTask:
    """``dataset``: without the recordings of test subjects. ``draws``: one split for each draw of
    validation subjects, all with the same test subjects."""

    dataset: Dataset
    draws: tuple[SubjectSplit, ...]

    def windows(self, people: Iterable[str], length: int, hop: int) -> Windows:
        """These subjects' windows. InputError when they have none of this length."""
        wanted = frozenset(people)
        chosen = [recording for recording in self.dataset.recordings if recording.subject in wanted]
        windows = make_windows(chosen, self.dataset.activities, length=length, hop=hop)
        if not len(windows):
            raise InputError(
                f"data set {self.dataset.name}: no window of {length} samples of "
                f"{', '.join(sorted(wanted))}; choose a shorter --window"
            )
        return windows


def gather(
    dataset: Dataset,
    scheme: str = "official",
    *,
    fold: int = 0,
    draws: int = 1,
    seed: int = 0,
) -> SearchTask:
    """Draws the validation subjects ``draws`` times (with the seeds ``seed``, ``seed`` + 1, ...)
    from the subjects outside the test.

    Raises InputError for less than one draw, and as `split_subjects`.
    """
    if draws < 1:
        raise InputError(f"{draws} draws of validation subjects: at least 1 is needed")
    splits = [split_subjects(dataset, scheme, fold=fold, seed=seed + n) for n in range(draws)]
    kept = tuple(r for r in dataset.recordings if r.subject not in splits[0].test)
    return SearchTask(replace(dataset, recordings=kept), tuple(splits))


@lru_cache(maxsize=1)
def material_of(setting: Setting) -> SearchTask:
    """From this machine's data set. Raises as `load_dataset` and `gather`."""
    return gather(
        load_dataset(setting.dataset, progress=False),
        setting.split,
        fold=setting.fold,
        draws=setting.draws,
        seed=setting.seed,
    )


def score_candidate(setting: Setting, candidate: Candidate, draw: int) -> float:
    """As `train_and_score`, each draw with a seed of its own."""
    material, seed = material_of(setting), setting.seed + draw
    return train_and_score(material, candidate, draw, setting.epochs, seed)


def train_and_score(
    material: SearchTask, candidate: Candidate, draw: int, epochs: int, seed: int
) -> float:
    """Accuracy on the validation subjects of ``draw`` after ``epochs`` of the recipe that the
    shipped weights are pretrained with, on its training subjects. The same arguments give the same
    value."""
    import tf_keras

    from pipeline.training.inputs import fit_normalization
    from pipeline.training.pretrain import pretrain
    from pipeline.training.shipped import recipe

    tf_keras.backend.clear_session()
    people, length = material.draws[draw], candidate.window
    settings = replace(recipe(material.dataset.name, candidate.shape.name), epochs=epochs)
    training = material.windows(people.train, length, length // 2)
    accuracy = 0.0

    def on_epoch(_: int, value: float) -> None:
        nonlocal accuracy
        accuracy = value

    pretrain(
        material.windows(people.train, length, length // 8),
        len(training),
        material.windows(people.validation, length, length // 2),
        fit_normalization(training.x, settings.knee),
        settings,
        seed,
        on_epoch,
    )
    return accuracy
