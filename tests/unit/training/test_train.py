from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import InputError
from pipeline.data import SubjectSplit
from pipeline.models.weights import model_arrays
from pipeline.training import Pretrained, TrainedModel, load_pretrained, load_trained, train
from pipeline.training.pretrain import PretrainSettings
from pipeline.training.pretrained import pretrain_extractor
from pipeline.training.task import Task
from pipeline.training.train import save_trained
from tests.support.synthetic import synthetic_task


def _train(pretrained: Pretrained, task: Task, split: SubjectSplit | None = None) -> TrainedModel:
    return train(pretrained, replace(task, split=split or task.split), 7)


def test_training_leaves_the_extractor_as_it_was_pretrained(
    pretrained: Pretrained, trained: TrainedModel
) -> None:
    arrays = model_arrays(trained.model)
    heads = [name for name in arrays if name.partition("/")[0].endswith("_logits")]
    frozen = sorted(set(arrays) - set(heads))
    assert len(frozen) > 20 and len(heads) > 2
    for name in frozen:
        assert arrays[name].tobytes() == pretrained.arrays[name].tobytes(), name
    for name in heads:
        assert arrays[name].tobytes() != pretrained.arrays[name].tobytes(), name


@pytest.mark.slow("pretrains twice")
def test_two_runs_of_pretraining_give_the_same_bits(task: Task, tmp_path: Path) -> None:
    settings = PretrainSettings(epochs=1, batch=32)
    cards = [pretrain_extractor(task, settings, 3, tmp_path / name / "dscnn.npz") for name in "ab"]
    assert cards[0].weights_sha256 == cards[1].weights_sha256


def test_two_runs_of_training_give_the_same_bits(pretrained: Pretrained, tmp_path: Path) -> None:
    task = synthetic_task(people=5, seconds=6.0)
    cards = [save_trained(_train(pretrained, task), tmp_path / name) for name in "ab"]
    assert cards[0].weights_sha256 == cards[1].weights_sha256


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
    with pytest.raises(InputError, match="har pretrain"):
        load_pretrained(tmp_path / "dscnn.npz")
