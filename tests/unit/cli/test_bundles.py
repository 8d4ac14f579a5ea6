"""`har bundles`, and the commands that take one by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.training.corpora import CORPORA


def har(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_the_list_says_placement_activities_accuracy_and_size() -> None:
    code, said, _ = har("bundles", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(said)["bundles"]}
    assert list(rows) == list(CORPORA)
    for name, row in rows.items():
        assert row["placement"] == name and "walking" in row["activities"]
        assert 0.85 < row["accuracy"] <= 1 and row["worst_subject_accuracy"] > 0.8
        assert row["parameters"] > 10_000 and row["size"] > 10_000
    assert "running" in rows["wrist"]["activities"] and "resting" in rows["wrist"]["activities"]
    code, text, _ = har("bundles")
    assert code == 0 and all(name in text for name in rows)


def test_a_rebuilt_bundle_that_is_not_the_card_s_is_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr(
        "pipeline.bundle.ready.rebuild", lambda *_: SimpleNamespace(model_id="f" * 16)
    )
    code, said, error = har("bundles", "rebuild", "wrist", "--output", str(tmp_path), "--json")
    assert code == 1 and "requirements.lock" in error
    assert (
        json.loads(said.splitlines()[0] if said.startswith('{"') else said)["rebuilt"][0]["same"]
        is False
    )


def test_the_mirror_of_a_bundle_is_not_compared_with_a_card_that_it_has_not(tmp_path: Path) -> None:
    code, said, _ = har("bundles", "rebuild", "wrist-left", "--output", str(tmp_path), "--json")
    assert code == 0 and json.loads(said)["rebuilt"][0]["same"] is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("bundles", "rebuild", "ankle"), "no bundle 'ankle'; there are: waist, wrist, wrist-left"),
        (("bundles", "rebuild", "--output", "x"), "--output takes one bundle"),
        (("train", "--bundle", "ankle"), "no bundle 'ankle'"),
        (("train", "--bundle", "wrist", "--dataset", "hapt"), "--bundle names a shipped network"),
        (("emit", "--bundle", "ankle"), "ankle/bundle.json: no such file"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = har(*arguments)
    assert code == 2 and reason in error and len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_training_without_recordings_takes_the_network_as_it_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.data.catalog.load_dataset", None)
    code, said, _ = har("train", "--bundle", "wrist", "--json")
    card = json.loads(said)
    assert code == 0 and card["bundle"] == "wrist" and card["own"] is None
    code, said, _ = har("quantize", "--json")
    bundle = json.loads(said)
    shipped = json.loads(har("bundles", "--json")[1])["bundles"][1]
    assert code == 0 and bundle["model_id"] == shipped["model_id"]
