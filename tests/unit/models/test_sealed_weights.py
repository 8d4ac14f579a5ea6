"""Weights and the card that holds their hash."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from pipeline.core.errors import InputError
from pipeline.core.files import write_npz
from pipeline.models import load_sealed_weights, load_weights
from pipeline.models.weights import read_card, save_sealed

_SPAWN = multiprocessing.get_context("spawn")


class _Card(BaseModel):
    sha256: str
    value: float


def _model(value: float) -> Any:
    variable = SimpleNamespace(name="dense/bias:0", numpy=lambda: np.full(5000, value))
    return SimpleNamespace(weights=[variable])


def _save(folder: Path, value: float, times: int = 1) -> None:
    for _ in range(times):
        save_sealed(
            _model(value),
            folder / "weights.npz",
            folder / "card.json",
            lambda sha256: _Card(sha256=sha256, value=value),
        )


def test_two_runs_that_save_at_once_leave_weights_and_card_of_one(tmp_path: Path) -> None:
    both = [_SPAWN.Process(target=_save, args=(tmp_path, value, 20)) for value in (1.0, 2.0)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    card = read_card(_Card, tmp_path / "card.json", "train again")
    arrays = load_sealed_weights(tmp_path / "weights.npz", card.sha256, "card.json", "train again")
    assert arrays["dense/bias"][0] == card.value
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.json", "weights.npz"]


def test_changed_weights_are_refused_by_their_hash_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path, 1.0)
    path = tmp_path / "weights.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(InputError, match=r"weights\.npz: not the weights that card\.json"):
        load_sealed_weights(path, "0" * 64, "card.json", "train again")
    with pytest.raises(InputError, match="absent: no such file; train again"):
        load_sealed_weights(tmp_path / "absent", "0" * 64, "card.json", "train again")


@pytest.mark.parametrize(
    "values", [np.array([np.nan]), np.array([np.inf]), np.array("text"), np.array([1 + 1j])]
)
def test_what_is_no_finite_number_is_refused(values: Any, tmp_path: Path) -> None:
    write_npz(tmp_path / "weights.npz", {"good": np.zeros(2), "bad": values})
    with pytest.raises(InputError, match=r"weights\.npz: bad is not all finite numbers"):
        load_weights(tmp_path / "weights.npz")
