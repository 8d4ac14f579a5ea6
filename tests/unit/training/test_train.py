from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import SubjectSplit
from pipeline.errors import InputError
from pipeline.models.weights import model_arrays
from pipeline.training import Pretrained, TrainedModel, load_pretrained, load_trained, train
from pipeline.training.pretrain import PretrainSettings
from pipeline.training.pretrained import pretrain_extractor
from pipeline.training.task import Task
from pipeline.training.train import save_trained


def _train(pretrained: Pretrained, task: Task, split: SubjectSplit | None = None) -> TrainedModel:
    return train(
        pretrained,
        task.windows,
        split or task.split,
        dataset=task.dataset.name,
        rate_hz=task.dataset.rate_hz,
        hop_samples=64,
        seed=7,
    )


def test_training_leaves_the_extractor_as_it_was_pretrained(
    pretrained: Pretrained, trained: TrainedModel
) -> None:
    arrays = model_arrays(trained.model)
    frozen = [name for name in arrays if not name.startswith("logits/")]
    assert len(frozen) > 20
    for name in frozen:
        assert arrays[name].tobytes() == pretrained.arrays[name].tobytes(), name
    assert arrays["logits/kernel"].tobytes() != pretrained.arrays["logits/kernel"].tobytes()


def test_two_runs_of_pretraining_give_the_same_bits(task: Task, tmp_path: Path) -> None:
    settings = PretrainSettings(epochs=1, batch=32)
    cards = [pretrain_extractor(task, settings, 3, tmp_path / name / "dscnn.npz") for name in "ab"]
    assert cards[0].weights_sha256 == cards[1].weights_sha256


def test_two_runs_of_training_give_the_same_bits(
    pretrained: Pretrained, task: Task, tmp_path: Path
) -> None:
    cards = [save_trained(_train(pretrained, task), tmp_path / name) for name in "ab"]
    assert cards[0].weights_sha256 == cards[1].weights_sha256


def test_an_extractor_that_saw_a_test_person_is_refused(pretrained: Pretrained, task: Task) -> None:
    split = task.split
    leaking = replace(split, train=split.test, test=split.train)
    with pytest.raises(InputError, match="pretrained on test people"):
        _train(pretrained, task, leaking)


def test_training_people_who_lack_an_activity_are_refused(
    pretrained: Pretrained, task: Task
) -> None:
    one_class = replace(task, windows=task.windows.subset(task.windows.y == 0))
    with pytest.raises(InputError, match="no training windows of running, resting"):
        _train(pretrained, one_class)


def test_a_trained_model_survives_the_disk(
    trained: TrainedModel, task: Task, tmp_path: Path
) -> None:
    save_trained(trained, tmp_path)
    again = load_trained(tmp_path)
    x = trained.network_input(task.windows.x[:5])
    assert again.model(x).numpy().tobytes() == trained.model(x).numpy().tobytes()


def test_tampered_weights_are_refused(trained: TrainedModel, tmp_path: Path) -> None:
    save_trained(trained, tmp_path)
    path = tmp_path / "weights.npz"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"weights\.npz"):
        load_trained(tmp_path)


def test_a_missing_pretrained_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make pretrain"):
        load_pretrained(tmp_path / "dscnn.npz")


def test_shipped_extractor_never_saw_an_official_test_person() -> None:
    shipped = load_pretrained(Path(__file__).parents[3] / "data" / "pretrained" / "dscnn.npz")
    official = {f"subject{n:02d}" for n in (2, 4, 9, 10, 12, 13, 18, 20, 24)}
    assert not official & set(shipped.card.subjects)
    assert not set(shipped.card.validation_subjects) & set(shipped.card.subjects)
    assert all(np.isfinite(values).all() for values in shipped.arrays.values())
