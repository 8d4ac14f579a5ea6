"""An interrupted `har emit`, or two at once, left files of two models, which built and predicted
with the wrong network."""

from __future__ import annotations

import importlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from pipeline.bundle.bundle import Bundle, load_bundle
from pipeline.core.errors import InputError
from pipeline.sim.flash import check_emitted

emitting = importlib.import_module("pipeline.bundle.emit")  # not the function of that name
ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
ENGINES = {
    "compiled": ("har_engine_compiled.c", "har_net"),
    "tflm": ("har_engine_tflm.cpp", "har_extractor_tflite"),
}


@pytest.fixture(scope="module")
def models(bundle_directory: Path) -> tuple[Bundle, Bundle]:
    first = load_bundle(bundle_directory)
    other = load_bundle(bundle_directory)
    object.__setattr__(other, "model_id", "fedcba9876543210")
    return first, other


def compiles(generated: Path, engine: str) -> bool:
    source, net = ENGINES[engine]
    emitted = [generated / "har_model.c", generated / f"{net}.c"]
    for file in (*emitted, FIRMWARE / "lib" / "engine" / source):
        compiler = ["g++", "-std=gnu++14"] if file.suffix == ".cpp" else ["gcc", "-std=c11"]
        includes = [f"-I{each}" for each in (generated, FIRMWARE, ROOT / "tests/stubs/tflm")]
        command = [*compiler, "-fsyntax-only", *includes, str(file)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return False
    return True


def check(generated: Path, engine: str) -> bool:
    try:
        check_emitted(generated, engine)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("engine", ENGINES)
def test_no_mixture_of_two_models_compiles(
    models: tuple[Bundle, Bundle], engine: str, tmp_path: Path
) -> None:
    folders = [tmp_path / "first", tmp_path / "other"]
    for bundle, folder in zip(models, folders, strict=True):
        emitting.emit(bundle, folder)
    names = [f"{stem}.{kind}" for stem in ("har_model", ENGINES[engine][1]) for kind in "hc"]
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for choice in product((0, 1), repeat=len(names)):
        for which, name in zip(choice, names, strict=True):
            (mixed / name).write_bytes((folders[which] / name).read_bytes())
        of_one = len(set(choice)) == 1
        assert (compiles(mixed, engine), check(mixed, engine)) == (of_one, of_one), choice


def test_what_an_interrupted_emit_leaves_does_not_compile_and_the_next_one_mends_it(
    models: tuple[Bundle, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = models
    write = emitting.write_whole
    for writes in range(6):
        emitting.emit(first, tmp_path)
        left = iter(range(writes))

        def interrupted(path: Path, content: str | bytes, left: object = left) -> None:
            if next(left, None) is None:  # type: ignore[call-overload]
                raise KeyboardInterrupt
            write(path, content)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(emitting, "write_whole", interrupted)
            emitting.emit(other, tmp_path)
        for engine in ENGINES:
            assert not compiles(tmp_path, engine) and not check(tmp_path, engine), writes
        emitting.emit(other, tmp_path)
        assert check_emitted(tmp_path, "compiled") == check_emitted(tmp_path, "tflm")
        assert check_emitted(tmp_path, "compiled") == other.model_id


def test_two_emits_at_once_leave_one_model(models: tuple[Bundle, Bundle], tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        for _ in range(5):
            list(threads.map(lambda bundle: emitting.emit(bundle, tmp_path), models))
            ids = {check_emitted(tmp_path, engine) for engine in ENGINES}
            assert len(ids) == 1 and ids <= {bundle.model_id for bundle in models}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{stem}.{kind}"
        for stem in ("har_model", "har_net", "har_extractor_tflite")
        for kind in "ch"
    )
