"""Networks over pictures are pretrained and trained as those over samples are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.models import backbone
from pipeline.models.weights import model_arrays
from pipeline.training import load_pretrained, load_trained, train
from pipeline.training.pretrain import DistillSettings, PretrainSettings, begin_with, distill
from pipeline.training.pretrained import pretrain_extractor
from pipeline.training.shipped import recipe
from pipeline.training.task import Task
from pipeline.training.train import save_trained

SMALL = "squeezenet:0.1"


@pytest.mark.slow("pretrains an image network")
def test_what_is_trained_on_pictures_survives_the_disk(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "extractor.npz"
    pretrain_extractor(task, PretrainSettings(backbone=SMALL, epochs=1), 0, path)
    pretrained = load_pretrained(path)
    assert pretrained.card.spectrogram is not None
    assert (pretrained.card.spectrogram.pixels, pretrained.card.spectrogram.planes) == (32, 3)
    trained = train(pretrained, task, 0)
    save_trained(trained, tmp_path)
    again = load_trained(tmp_path)
    x = task.windows.x[:3]
    inputs = again.network_input(x)
    assert inputs.shape == (3, 32, 32, 3)
    assert inputs.tobytes() == trained.network_input(x).tobytes()
    assert again.model(inputs).numpy().tobytes() == trained.model(inputs).numpy().tobytes()
    assert trained.features(x).shape == (3, trained.head("fc").weights.shape[1])


def test_a_network_begins_with_what_fits_and_a_new_classifier() -> None:
    network = backbone(SMALL)
    model, other = (network.build(128, 6, activities, 0.0) for activities in (3, 3))
    given = model_arrays(other)
    given["conv1/kernel"] = np.zeros((1, 1, 1, 1), np.float32)  # of another shape
    given["nowhere/kernel"] = np.zeros(3, np.float32)
    before = model_arrays(model)
    begin_with(model, given, network.heads)
    after = model_arrays(model)
    kept = {name for name in after if name.startswith("logits/")} | {"conv1/kernel"}
    for name, values in after.items():
        expected = before if name in kept else given
        assert values.tobytes() == expected[name].tobytes(), name
    assert after["fire2_squeeze/kernel"].tobytes() != before["fire2_squeeze/kernel"].tobytes()


def test_networks_over_pictures_have_recipes_of_their_own() -> None:
    usual = recipe("hapt", "dscnn")
    pictures = recipe("hapt", "MobileNetV2@48")
    assert pictures.epochs < usual.epochs and pictures.knee == usual.knee
    watch = recipe("watch", "mobilenetv2")
    assert watch.epochs == 2 * pictures.epochs and watch.augmentation.mirror
    with pytest.raises(InputError, match="unknown backbone 'alexnet'"):
        recipe("hapt", "alexnet")


def test_a_network_over_pictures_is_not_distilled(task: Task) -> None:
    with pytest.raises(InputError, match="squeezenet reads pictures"):
        distill(task.pretraining_recordings(), 128, DistillSettings(backbone="squeezenet"), 0)
