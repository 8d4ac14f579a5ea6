from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pipeline.core.errors import InputError
from pipeline.data import Dataset, Windows, split_subjects
from pipeline.experiments.networks import Folders
from pipeline.experiments.transfer.run import (
    Extractor,
    TransferRequest,
    TransferRow,
    probe,
    random_extractor,
    transfer,
    transfer_claims,
    transfer_table,
)
from pipeline.models import backbone
from pipeline.training.pretrain import DistillSettings, PretrainSettings
from pipeline.training.task import make_task
from tests.support.synthetic import synthetic_task

NETWORK = "dscnn:k5:8s2-8s2-8s2"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return synthetic_task(people=5, seconds=6.0).dataset


@pytest.fixture(scope="module")
def windows(dataset: Dataset) -> Windows:
    return make_task(dataset, split_subjects(dataset, "5-fold")).windows


@pytest.fixture
def two_datasets(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load_dataset` gives the synthetic one under any name; pretraining takes one epoch."""
    module = "pipeline.experiments"
    run = f"{module}.transfer.run"
    monkeypatch.setattr(f"{run}.load_dataset", lambda name: replace(dataset, name=name))
    monkeypatch.setattr(
        f"{module}.networks.recipe",
        lambda _, name: PretrainSettings(backbone=name, epochs=1, batch=16),
    )
    monkeypatch.setattr(
        f"{run}.DistillSettings",
        lambda backbone: DistillSettings(backbone, 128, 8, 32, kernels=4, components=8),
    )


def _request(tmp_path: Path, **changes: object) -> TransferRequest:
    folders = Folders(tmp_path / "pretrained", tmp_path / "runs", tmp_path / "shipped")
    fields: dict[str, object] = {
        "folders": folders, "source": "one", "target": "other", "backbone": NETWORK, "seeds": 1
    }  # fmt: skip
    return TransferRequest(**{**fields, **changes})  # type: ignore[arg-type]


def _random(windows: Windows, seed: int) -> Extractor:
    return random_extractor(backbone(NETWORK), windows.x, seed)


@pytest.mark.slow("trains every variant")
@pytest.mark.usefixtures("two_datasets")
def test_every_variant_stands_beside_the_control_on_everybody_of_the_target(
    windows: Windows, tmp_path: Path
) -> None:
    shares: list[float] = []
    rows = transfer(_request(tmp_path), lambda _, share: shares.append(share))
    variants = [row.variant for row in rows]
    assert variants == ["random", "random_varied", "supervised", "distilled"]
    control = max(row.accuracy for row in rows[:2])
    for row in rows:
        assert row.difference_to_control == pytest.approx(row.accuracy - control, abs=2e-6)
        assert (row.scheme, row.folds, row.seeds, row.windows) == ("5-fold", 5, 1, len(windows))
        assert row.worst_subject in set(windows.subjects.tolist())
        assert 0.4 < row.worst_subject_accuracy <= row.accuracy <= 1.0
        assert row.sd == 0.0
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_random_weights_get_the_statistics_of_the_source_in_every_layer(windows: Windows) -> None:
    import tf_keras

    extractor = _random(windows, 0)
    inputs = extractor.normalize(windows.x)
    layers = [
        layer
        for layer in extractor.model.layers
        if isinstance(layer, tf_keras.layers.BatchNormalization)
    ]
    assert len(layers) == 5
    for layer in layers:
        out = tf_keras.Model(extractor.model.input, layer.output).predict(inputs, verbose=0)
        np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), 0.0, atol=1e-3)
        assert np.all(out.var(axis=(0, 1, 2)) < 1.001)
        assert np.median(out.var(axis=(0, 1, 2))) > 0.9


def test_the_control_is_one_with_its_seed(windows: Windows) -> None:
    one, again, other = (_random(windows, seed)(windows.x[:8]) for seed in (0, 0, 1))
    assert one.tobytes() == again.tobytes() != other.tobytes()


def test_the_classifier_never_sees_the_labels_of_test_people(
    dataset: Dataset, windows: Windows
) -> None:
    task = make_task(dataset, split_subjects(dataset, "5-fold", fold=1))
    tested = np.isin(task.windows.subjects, task.split.test)
    extractor = _random(windows, 0)
    runs = []
    for turn in range(3):
        labels = np.where(tested, (task.windows.y + turn) % 3, task.windows.y)
        runs.append(probe(extractor, replace(task, windows=replace(task.windows, y=labels)), 0))
    assert len(runs[0]) == tested.sum()
    assert np.all(np.sum(runs, axis=0) == 1)  # the same answer whatever the labels said
    assert runs[0].mean() > 0.6


@pytest.mark.usefixtures("two_datasets")
def test_a_data_set_is_not_transferred_to_itself(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="source and target are both one"):
        transfer(_request(tmp_path, target="one"))


def test_a_source_with_the_people_of_the_target_is_refused(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipeline.experiments.transfer.run.load_dataset",
        lambda name: replace(dataset, name=name, people="the same"),
    )
    with pytest.raises(InputError, match="the same people"):
        transfer(_request(tmp_path))


def test_the_command_prints_one_json_document(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.cli.experiments import transfer as command

    row = TransferRow("random", "a", "b", "dscnn", "5-fold", 0.8, 0.01, "p", 0.5, 3, 5, 70, 0.0)
    asked: list[TransferRequest] = []

    def rows(request: TransferRequest, _: object) -> list[TransferRow]:
        asked.append(request)
        return [row]

    dataset = replace(synthetic_task(people=4, seconds=3.0).dataset, notes=("odd",))
    monkeypatch.setattr("pipeline.data.load_dataset", lambda _: dataset)
    monkeypatch.setattr("pipeline.experiments.transfer.run.transfer", rows)
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["--source", "a", "--target", "b", "--seeds", "3", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["rows"][0]["accuracy"] == 0.8 and document["notes"] == ["a: odd", "b: odd"]
    assert (asked[0].source, asked[0].target, asked[0].seeds) == ("a", "b", 3)
    assert document["claims"] == []


def test_pretraining_is_claimed_to_beat_the_better_control() -> None:
    names = (("random", 0.0), ("supervised", 0.017), ("distilled", -0.002))
    rows = [
        TransferRow(name, "a", "b", "dscnn", "5-fold", 0.8, 0.01, "p", 0.5, 3, 5, 70, difference)
        for name, difference in names
    ]
    claims = transfer_claims(rows)
    assert [(each.measured, each.n, each.holds) for each in claims] == [
        *(("+1.7", 70, True), ("\u22120.2", 70, False))
    ]
    assert [row[0] for row in transfer_table(rows).rows] == [name for name, _ in names]
