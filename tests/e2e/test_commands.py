"""What a user types, from a bundle to a board."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import har, har_json

ROOT = Path(__file__).parents[2]
EMULATED = pytest.param("mps2", marks=pytest.mark.emulated)
HAR = [sys.executable, "-m", "pipeline.cli.main"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder where what one command has built is there for the next."""
    return tmp_path_factory.mktemp("place")


@pytest.mark.emulated
@pytest.mark.parametrize("engine", ["compiled", "tflm"])
def test_fit_answers_with_every_figure(bundle_directory: Path, place: Path, engine: str) -> None:
    fit = har_json("fit", "--bundle", str(bundle_directory), "--engine", engine, cwd=place)
    assert fit["fits"] is True
    assert fit["flash_bytes"]["used"] < fit["flash_bytes"]["limit"] == 917_504
    assert fit["ram_bytes"]["used"] < fit["ram_bytes"]["limit"] == 262_144
    assert fit["stored_head_bytes"]["used"] < fit["stored_head_bytes"]["limit"] == 32_768
    assert 0 < fit["stack_bytes"] < 8192
    assert fit["latency_ms"] > 1 and fit["energy_uj"] > 1
    assert "latency_ms" in fit["estimates"]
    other = fit["other"]
    assert {other["engine"], engine} == {"tflm", "compiled"}
    faster, slower = (other, fit) if engine == "tflm" else (fit, other)
    assert faster["latency_ms"] < slower["latency_ms"] / 2


@pytest.fixture(scope="module")
def oversized_bundle(bundle_directory: Path, place: Path) -> Path:
    """A bundle whose extractor alone is as large as what the board leaves."""
    import numpy as np
    from tf_keras import Sequential, layers

    from pipeline.bundle import load_bundle
    from pipeline.bundle.bundle import write_bundle
    from pipeline.bundle.convert import to_int8
    from pipeline.bundle.interface import output_of
    from pipeline.compiler import compile_model
    from pipeline.core.files import write_npz

    features = 1100
    network = Sequential(
        [layers.Input((128, 1, 6)), layers.Conv2D(features, (128, 1)), layers.Flatten()]
    )
    windows = np.random.default_rng(0).normal(size=(4, 128, 1, 6)).astype(np.float32)
    model = to_int8(network, windows)
    compiled = compile_model(model)
    directory = Path(shutil.copytree(bundle_directory, place / "oversized"))
    (directory / "extractor.int8.tflite").write_bytes(model)
    content = load_bundle(bundle_directory).model_dump(mode="json")
    near = np.ones((3, features), np.float32)
    write_npz(
        directory / "head.npz",
        {
            "parameters": np.zeros(content["rows"] * (features + 1), np.float32),
            "feature_scale": near[0],
            "feature_offset": near[0],
            "novelty_center": near,
            "novelty_inverse_std": near,
            "exemplars": np.zeros((0, features), np.int8),
            "exemplar_activities": np.zeros(0, np.uint8),
        },
    )
    for name in ("format", "model_id", "files"):
        del content[name]
    source = compiled.inputs[0]
    content |= {
        "features": features,
        "head": content["head"] | {"frozen": features},
        "replay": {"capacity": 9, "exemplars": 0},
        "input": {"scale": source.scale, "zero_point": source.zero_point},
        "outputs": [output_of(info).model_dump() for info in compiled.outputs],
        "macs": compiled.macs,
    }
    write_bundle(directory, content)
    return directory


@pytest.mark.emulated
@pytest.mark.parametrize("engine", ["compiled", "tflm"])
def test_fit_says_no_with_every_figure(oversized_bundle: Path, place: Path, engine: str) -> None:
    done = har("fit", "--bundle", str(oversized_bundle), "--engine", engine, "--json", cwd=place)
    assert done.exit_code == 1, done.stderr
    fit = json.loads(done.stdout)
    assert fit["fits"] is False
    assert fit["flash_bytes"]["used"] > fit["flash_bytes"]["limit"] == 917_504


@pytest.mark.emulated
@pytest.mark.slow("links and emulates twice")
def test_bench_counts_the_same_instructions_twice(bundle_directory: Path, tmp_path: Path) -> None:
    first, second = (
        har_json("bench", "--bundle", str(bundle_directory), cwd=tmp_path) for _ in "12"
    )
    for answer in (first, second):  # how deep an interrupt finds the stack depends on the host
        assert 0 < answer.pop("stack_used_bytes") < answer["stack_size_bytes"]
    assert first == second
    assert first["unit"] == "instructions"
    inference = first["inference"]
    assert first["prediction"] > first["engine"] > inference["macs"] > 285_000
    # What a window costs depends on it a little, where sums are clamped.
    assert inference["instructions"] == pytest.approx(first["engine"], rel=0.01)
    assert inference["instructions"] < inference["cycles_model"] < 2 * inference["instructions"]
    counted = sum(layer["instructions"] for layer in inference["layers"])
    assert counted == pytest.approx(inference["instructions"], rel=0.005)
    assert first["update"] > first["head"] > 1000
    assert set(first["heads"]) == {"fc", "fxc1", "fxc2"}
    assert first["learning_ram_bytes"] < 48 * 1024


@pytest.mark.parametrize("target", ["host", EMULATED])
def test_parity_finds_no_difference(bundle_directory: Path, tmp_path: Path, target: str) -> None:
    model = str(bundle_directory / "full.int8.tflite")
    report = har_json(
        "parity", "--model", model, "--inputs", "30", "--seed", "5", "--target", target,
        cwd=tmp_path,
    )  # fmt: skip
    assert report["mismatches"] == 0 and report["compared"] == 30
    assert report["distinct_outputs"] > 20
    assert (report["instructions"] is None) == (target == "host")


def test_parity_names_an_unsupported_model_and_exits_1(
    bundle_directory: Path, tmp_path: Path
) -> None:
    model = str(bundle_directory / "full.float.tflite")
    done = har("parity", "--model", model, "--target", "host", "--json", cwd=tmp_path)
    assert done.exit_code == 1
    assert "CONV_2D" in json.loads(done.stdout)["error"]
    assert "CONV_2D" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def board(bundle_directory: Path, place: Path, tmp_path: Path) -> Iterator[str]:
    """The port of `har emulate`, run as a user does, over a flash that is empty."""
    assert har("emit", "--bundle", str(bundle_directory), "--output", "c", cwd=place).stdout
    flash = tmp_path / "flash.img"
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [*HAR, "emulate", "--target", "host", "--generated", "c", "--flash", str(flash), "--json"],
        cwd=place,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    deadline = threading.Timer(120, process.kill)  # readline would wait for ever
    deadline.start()
    try:
        document = ""
        while not document.endswith("}\n"):
            line = process.stdout.readline()
            assert line, "har emulate ended"
            document += line
        yield json.loads(document)["port"]
    finally:
        deadline.cancel()
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_a_recording_teaches_a_board_whose_head_moves_to_a_file(board: str, tmp_path: Path) -> None:
    lines = ["# rate_hz: 50", "# subject: me", "# session: today"]
    lines.append("time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity")
    lines += [f"{i / 50:.3f},{1 + 0.01 * (i % 3)},0,0,0,0,0,walking" for i in range(400)]
    (tmp_path / "me.csv").write_text("\n".join(lines) + "\n")
    port = ("--port", board)
    streamed = har_json("stream", *port, "--csv", "me.csv", cwd=tmp_path)
    assert streamed["samples_lost"] == 0
    har_json(
        "learn", *port, "--activity", "walking", "--csv", "me.csv", "--save",
        cwd=tmp_path,
    )  # fmt: skip
    learned = har_json("head", "show", *port, cwd=tmp_path)
    har_json("head", "pull", "mine.head", *port, cwd=tmp_path)
    assert (tmp_path / "mine.head").stat().st_size > 1000
    har_json("head", "reset", *port, cwd=tmp_path)
    factory = har_json("head", "show", *port, cwd=tmp_path)
    har_json("head", "push", "mine.head", *port, cwd=tmp_path)
    pushed = har_json("head", "show", *port, cwd=tmp_path)
    assert factory["head_crc"] != learned["head_crc"] == pushed["head_crc"]


def test_a_board_learns_an_activity_that_the_model_never_had(board: str, tmp_path: Path) -> None:
    lines = ["# rate_hz: 50", "# subject: me", "# session: today"]
    lines.append("time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity")
    lines += [f"{i / 50:.3f},0,0,{-1 + 0.5 * (i % 2)},{i % 3 - 1},0,2," for i in range(512)]
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    port, csv = ("--port", board), ("--csv", "new.csv")
    shipped = har_json("head", "show", *port, cwd=tmp_path)
    assert (shipped["source"], shipped["taught"], shipped["can_undo"]) == ("shipped", [], False)
    learned = har_json(
        "learn", *port, *csv, "--new", "hand stand", "--windows", "6", "--save", cwd=tmp_path
    )
    assert learned["taught"] == ["hand stand"]
    assert learned["labels"]["hand stand"] == 6
    assert {lesson["outcome"] for lesson in learned["lessons"]} <= {"learned", "held_back"}
    assert learned["lessons"][-1]["probability_after"] > 0.5
    assert (learned["serves"], learned["evidence_missing"], learned["unsaved"]) == (True, 0, False)
    assert learned["replay_windows"] == 6
    streamed = har_json("stream", *port, *csv, cwd=tmp_path)
    assert streamed["activities"][-1] == "hand stand"
    undone = har_json("head", "undo", *port, cwd=tmp_path)
    assert (undone["labels"]["hand stand"], undone["unsaved"]) == (5, True)
    assert har("head", "undo", *port, cwd=tmp_path).exit_code == 1
    table = har("head", "show", *port, cwd=tmp_path).stdout
    assert "hand stand 5 (added)" in table and "learned, not saved" in table
    har_json("head", "pull", "new.head", *port, cwd=tmp_path)
    assert har_json("head", "reset", *port, cwd=tmp_path)["taught"] == []
    pushed = har_json("head", "push", "new.head", *port, cwd=tmp_path)
    assert (pushed["taught"], pushed["head_crc"]) == (["hand stand"], undone["head_crc"])
    assert (pushed["replay_windows"], pushed["can_undo"]) == (0, False)
    spare = pushed["rows"] - len(pushed["labels"])
    for i in range(spare):
        har_json("learn", *port, *csv, "--new", f"trick {i}", cwd=tmp_path)
    full = har("learn", *port, *csv, "--new", "one more", cwd=tmp_path)
    assert full.exit_code == 1
    assert "added so far: hand stand" in full.stderr


def test_a_tampered_head_file_is_refused_before_the_board_is_touched(
    board: str, tmp_path: Path
) -> None:
    port = ("--port", board)
    har_json("head", "reset", *port, cwd=tmp_path)
    before = har_json("head", "show", *port, cwd=tmp_path)
    (tmp_path / "bad.head").write_bytes(b"HARH" + bytes(60))
    done = har("head", "push", "bad.head", *port, cwd=tmp_path)
    assert done.exit_code == 2 and "bad.head" in done.stderr and "Traceback" not in done.stderr
    assert har_json("head", "show", *port, cwd=tmp_path) == before


REFUSALS = [
    (["quantize", "--model", "nowhere"], 2),
    (["emit", "--bundle", "nowhere"], 2),
    (["fit", "--bundle", "nowhere"], 2),
    (["parity", "--model", "nowhere.tflite", "--target", "host"], 2),
    (["build", "--generated", "nowhere", "--target", "host"], 2),
    (["head", "show", "--port", "nowhere"], 3),
    (["train", "--pretrained", "nowhere.npz"], 2),
    (["data", "info", "nowhere.csv"], 2),
    (["demo", "--target", "moon"], 2),
]


def test_a_refusal_is_one_clear_line(tmp_path: Path) -> None:
    for arguments, code in REFUSALS:
        done = har(*arguments, cwd=tmp_path)
        assert done.exit_code == code, done.stderr
        if "moon" not in arguments:  # the option parser draws a box around its own
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
            assert "nowhere" in done.stderr


def test_fxcy_refuses_in_one_clear_line(tmp_path: Path) -> None:
    for arguments, words in (
        (["--pair", "hapt"], "SOURCE:TARGET"),
        (["--pair", "hapt:hapt"], "the same"),
        (["--source", "hapt"], "give both"),
        (["--pair", "hapt:digits_low"], "sensor"),
        (["--pair", "digits_low:digits_high", "--backbone", "dscnn"], "image"),
        (["--backbone", "nonsense"], "nonsense"),
        (["--backbone", "dscnn", "--case", "fxc10"], "fxc9"),
        (["--backbone", "dscnn", "--case", "last_dense"], "fc"),
    ):
        done = har("fxcy", *arguments, "--json", cwd=tmp_path)
        assert done.exit_code == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert words in done.stderr
        assert json.loads(done.stdout)["exit_code"] == 2


def test_variants_refuse_in_one_clear_line(tmp_path: Path) -> None:
    for arguments, says in (
        (("--backbone", "lenet"), "lenet"),
        (("--variant", "int4"), "int4"),
        (("--sparsity", "0.99"), "0.95"),
        (("--dataset", "nowhere"), "nowhere"),
        (("--source", "hapt"), "both hapt"),
    ):
        done = har("variants", *arguments, "--output", tmp_path / "out", cwd=ROOT)
        assert (done.exit_code, done.stdout) == (2, "")
        assert says in done.stderr and done.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "code"), [REFUSALS[1], REFUSALS[5], REFUSALS[8]])
def test_a_process_ends_with_the_code_of_the_refusal(
    arguments: list[str], code: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*HAR, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_an_interrupted_quantize_leaves_no_half_bundle(
    task: Any, trained: Any, bundle_directory: Path, tmp_path: Path
) -> None:
    from pipeline.bundle import load_bundle
    from pipeline.bundle.bundle import FULL_FLOAT, FULL_INT8
    from pipeline.bundle.quantize import quantize

    old = Path(shutil.copytree(bundle_directory, tmp_path / "bundle"))
    full = {name: (old / name).read_bytes() for name in (FULL_FLOAT, FULL_INT8)}

    def interrupt(step: str) -> None:
        if step.startswith("measuring"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize(trained, task, old, full=full, on_step=interrupt)
    assert load_bundle(old).model_id == load_bundle(bundle_directory).model_id
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
