"""What is kept of networks and of the firmware around them, and what the next run tries again."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.bundle.footprint import Application, footprint
from pipeline.core.errors import CheckFailed, ExternalError
from pipeline.experiments.variants import engines
from pipeline.experiments.variants import networks as base_module
from pipeline.experiments.variants.engines import NOTHING, fits_board, surroundings
from pipeline.experiments.variants.networks import Base, Origin, base_network
from pipeline.experiments.variants.request import effort_for

FOUND = Application(flash_bytes=50_000, ram_bytes=40_000, store_pages=16)
NONE: Any = None
SOURCE = SimpleNamespace(thinned=lambda _: "source")


def _origin(weights: str) -> Origin:
    effort = effort_for("mobilenetv2", quick=True)
    return Origin(
        "hapt", "official", "mobilenetv2", 0, weights, "watch", effort, "0" * 64, "1" * 64
    )


class _World:
    """Stands in for what training and linking ask of the outside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing: Exception | None = None
        self.imagenet: dict[str, Any] | None = {"kernel": 1.0}
        self.measured = 0
        self.trained: list[Any] = []
        monkeypatch.setattr(engines, "measure_around", self._measure)
        monkeypatch.setattr(base_module, "initial_arrays", self._arrays)
        monkeypatch.setattr(base_module, "source_task", lambda *_: SOURCE)
        monkeypatch.setattr(base_module, "steps_of", lambda *_: 1)
        monkeypatch.setattr(base_module, "_keep", lambda *_: None)
        monkeypatch.setattr(base_module, "pretrain_extractor", self._train)
        monkeypatch.setattr(base_module, "load_pretrained", self._load)

    def _fail(self) -> None:
        if self.failing:
            raise self.failing

    def _measure(self, _network: Any, _task: Any) -> Application:
        self.measured += 1
        self._fail()
        return FOUND

    def _arrays(self, *_: Any) -> Any:
        self._fail()
        return self.imagenet

    def _train(
        self, task: Any, _settings: Any, _seed: int, path: Path, initial: Any = None
    ) -> None:
        if task != "source":
            self.trained.append(initial)
        path.write_text("source" if task == "source" else json.dumps(initial))

    def _load(self, path: Path) -> Any:
        card = SimpleNamespace(epochs=1)
        return SimpleNamespace(arrays=path.read_text(), card=card, model=lambda: None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> _World:
    return _World(monkeypatch)


def _task() -> Any:
    return "target"


def test_a_tool_that_was_missing_is_looked_for_again(world: _World, tmp_path: Path) -> None:
    base = Base(NONE, _origin("source"))
    world.failing = ExternalError("no arm-none-eabi-gcc;\n install it")
    assert surroundings(base, NONE, tmp_path) == (None, "no arm-none-eabi-gcc; install it")
    world.failing = None
    assert surroundings(base, NONE, tmp_path) == (FOUND, "")
    assert surroundings(base, NONE, tmp_path) == (FOUND, "")
    assert world.measured == 2


def test_what_the_engine_refuses_is_not_asked_twice(world: _World, tmp_path: Path) -> None:
    base = Base(NONE, _origin("source"))
    world.failing = CheckFailed("operator SINE")
    for _ in range(2):
        assert surroundings(base, NONE, tmp_path) == (None, "operator SINE")
    assert world.measured == 1


def test_a_network_that_fell_back_is_not_taken_for_imagenets(world: _World, tmp_path: Path) -> None:
    world.failing = ExternalError("no network")
    fallen = base_network(_origin("imagenet"), _task(), tmp_path)
    assert (fallen.began, fallen.origin) == ("watch", _origin("source"))
    world.failing = None
    first = base_network(_origin("imagenet"), _task(), tmp_path)
    assert (first.began, first.origin) == ("imagenet", _origin("imagenet"))
    assert world.trained == ["source", {"kernel": 1.0}]


def test_a_network_that_fell_back_is_the_one_of_the_source(world: _World, tmp_path: Path) -> None:
    world.imagenet = None
    for weights in ("imagenet", "source", "imagenet"):
        assert base_network(_origin(weights), _task(), tmp_path).began == "watch"
    assert world.trained == ["source"]


def test_imagenets_network_once_trained_needs_no_way_to_it(world: _World, tmp_path: Path) -> None:
    base_network(_origin("imagenet"), _task(), tmp_path)
    world.failing = ExternalError("no network")
    assert base_network(_origin("imagenet"), _task(), tmp_path).began == "imagenet"
    assert base_network(_origin("none"), _task(), tmp_path).began == "none"
    assert world.trained == [{"kernel": 1.0}, None]


def test_only_what_was_measured_or_is_ruled_out_has_an_answer() -> None:
    small, large = (footprint(FOUND, "compiled", size, 10_000) for size in (20_000, 2_000_000))
    assert fits_board(small, alone=False, unmeasured=False) is True
    assert fits_board(large, alone=False, unmeasured=False) is False
    alone = footprint(NOTHING, "compiled", 20_000, 10_000)
    assert fits_board(alone, alone=True, unmeasured=False) is None
    too_large = footprint(NOTHING, "compiled", 2_000_000, 10_000)
    assert fits_board(too_large, alone=True, unmeasured=False) is False
    assert fits_board(None, alone=False, unmeasured=False) is False


def test_an_engine_that_was_not_measured_may_still_take_it() -> None:
    large = footprint(FOUND, "compiled", 2_000_000, 10_000)
    assert fits_board(large, alone=False, unmeasured=True) is None
    assert fits_board(None, alone=True, unmeasured=True) is None
