"""The learner as a host program: the same bits as NumPy, and nothing that is no request."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.head import CutScales, Head, HeadShape, Learner, Learning, Replay
from pipeline.sim.learner_program import LearnerProgram, LearnerState, build_learner, learner_digest
from tests.support.learner_model import MadeUpHead

HEADS = {
    "fc": MadeUpHead(),
    "fxc1": MadeUpHead(frozen=8, length=5, channels=6, filters=7, exemplars=0, hold_every=3),
    "fxc2": MadeUpHead(frozen=8, length=9, channels=6, filters=7, kernel=3, hold_every=2),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All of them built one after the other in one place, as for many models."""
    folder = tmp_path_factory.mktemp("learner")
    for name, head in HEADS.items():
        build_learner(head.write(folder / "generated"), folder / name, folder / "build")
    return {name: folder / name for name in HEADS}


def _twin(made: MadeUpHead) -> Learner:
    shape = HeadShape(
        made.features,
        made.rows,
        made.frozen,
        made.length,
        made.channels,
        made.filters,
        made.kernel,
    )
    scales = CutScales(made.scale, made.offset, made.map_scale, -128)
    exemplars, labels = made.shipped_windows
    replay = Replay(shape.window_bytes, made.capacity, made.rows, exemplars, labels)
    learning = Learning(
        made.rate,
        made.rate_convolution,
        made.keep,
        made.steps,
        made.replay_every,
        made.hold_every,
        made.evidence,
    )
    return Learner(Head(shape, scales, made.parameters, made.shipped), replay, learning)


def _state(twin: Learner) -> LearnerState:
    held, right = twin.holdout()
    return LearnerState(
        activities=twin.head.activities,
        serves=twin.learned_active,
        updates=twin.updates,
        guard=twin.guard,
        held=held,
        held_right=right,
        crc=twin.head.crc(),
    )


@pytest.mark.parametrize("name", HEADS)
def test_the_program_learns_and_says_what_numpy_does(name: str, programs: dict[str, Path]) -> None:
    made, twin = HEADS[name], _twin(HEADS[name])
    rng = np.random.default_rng(5)
    labels = np.concatenate([rng.integers(0, 3, 30), rng.integers(0, 4, 30)])
    windows = made.windows(labels, seed=6, noise=40.0)
    with LearnerProgram(programs[name]) as learner:
        assert (learner.model_id, learner.window_bytes) == ("0102030405060708", made.window_bytes)
        assert (learner.features, learner.rows, learner.shipped) == (made.features, 5, 3)
        for at in range(0, 60, 15):
            if at == 30:
                learner.add()
                twin.add()
            part = slice(at, at + 15)
            expected = [
                int(twin.label(window, int(activity)))
                for window, activity in zip(windows[part], labels[part], strict=True)
            ]
            assert learner.label(windows[part], labels[part]) == expected
            assert learner.state() == _state(twin)
            said = {
                "serving": twin.predict(windows),
                "learned": twin.head.predict(windows),
                "shipped": twin.head.predict(windows, factory=True),
            }
            for by, probabilities in said.items():
                found = learner.predict(windows, by)  # type: ignore[arg-type]
                np.testing.assert_array_equal(found, probabilities.argmax(axis=-1))
        assert learner.state().updates > 20
        learner.reset()
        twin.reset()
        assert learner.state() == _state(twin)


def test_a_full_head_and_an_unknown_label_are_refused(programs: dict[str, Path]) -> None:
    window = HEADS["fc"].windows(np.array([0]), seed=1)
    with LearnerProgram(programs["fc"]) as learner:
        with pytest.raises(InputError, match="refused 1 labels, status"):
            learner.label(window, [3])
        learner.add()
        learner.add()
        assert learner.label(window, [4]) == [0]
        with pytest.raises(InputError, match="all 5 rows are taken"):
            learner.add()
        assert learner.activities == 5


def test_windows_of_another_size_never_reach_the_program(programs: dict[str, Path]) -> None:
    with LearnerProgram(programs["fc"]) as learner:
        for windows in (np.zeros((2, 11), np.int8), np.zeros((2, 12), np.float32)):
            with pytest.raises(InputError, match=r"not int8 \(N, 12\)"):
                learner.predict(windows)
        with pytest.raises(InputError, match="do not fit 2 windows"):
            learner.label(np.zeros((2, 12), np.int8), [1])
        with pytest.raises(InputError, match="one must be left"):
            learner.blind(12)


def test_many_windows_go_in_several_requests(programs: dict[str, Path]) -> None:
    labels = np.arange(9000) % 3
    windows = HEADS["fc"].windows(labels, seed=3, noise=4.0)
    with LearnerProgram(programs["fc"]) as learner:
        np.testing.assert_array_equal(learner.predict(windows), labels)
        assert learner.predict(windows[:0]).shape == (0,)


def test_blind_hides_features_until_it_is_taken_back(programs: dict[str, Path]) -> None:
    """What only the hidden features tell apart looks the same, and the rest learns faster."""
    labels = np.arange(30) % 3
    windows = HEADS["fc"].windows(labels, seed=4, noise=4.0)
    with LearnerProgram(programs["fc"]) as learner:
        learner.label(windows, labels)
        seeing = learner.state().crc
        learner.blind(3)
        assert learner.state().updates == 0
        hidden = windows.copy()
        hidden[:, :3] = 7
        np.testing.assert_array_equal(learner.predict(windows), learner.predict(hidden))
        learner.label(windows, labels)
        learned = learner.state().crc
        learner.blind(3)
        learner.label(hidden, labels)
        assert learner.state().crc == learned != seeing
        learner.blind(0)
        learner.label(windows, labels)
        assert learner.state().crc == seeing


REQUESTS = {
    "unknown operation": struct.pack("<BBI", ord("X"), 0, 0),
    "unknown argument": struct.pack("<BBI", ord("R"), 1, 0),
    "no such parameters": struct.pack("<BBI", ord("P"), 3, 0),
    "too many items": struct.pack("<BBI", ord("P"), 0, 4097),
    "items of none": struct.pack("<BBI", ord("S"), 0, 1),
    "all features blinded": struct.pack("<BBI", ord("B"), 0, 12),
    "half a head": struct.pack("<BBI", ord("S"), 0, 0)[:3],
    "half an item": struct.pack("<BBI", ord("L"), 0, 2) + bytes(13) + bytes(5),
    "no item": struct.pack("<BBI", ord("P"), 0, 1),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_what_is_no_request_ends_the_program(request_: bytes, programs: dict[str, Path]) -> None:
    result = subprocess.run([programs["fc"]], input=request_, capture_output=True, timeout=10)
    assert result.returncode == 2


def test_the_end_between_two_requests_is_no_error(programs: dict[str, Path]) -> None:
    asked = struct.pack("<BBI", ord("S"), 0, 0) * 2
    result = subprocess.run([programs["fc"]], input=asked, capture_output=True, timeout=10)
    assert (result.returncode, len(result.stdout)) == (0, 60)


def test_a_program_that_is_none_or_has_ended_is_one_line(
    tmp_path: Path, programs: dict[str, Path]
) -> None:
    with pytest.raises(ExternalError, match="No such file"):
        LearnerProgram(tmp_path / "learner")
    with LearnerProgram(programs["fc"]) as learner:
        learner._to.write(REQUESTS["unknown operation"])
        with pytest.raises(ExternalError, match="the learner ended"):
            learner.state()
            learner.state()


def test_it_is_built_again_only_when_its_sources_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    class Image:
        path = tmp_path / "image"

    Image.path.write_bytes(b"program")
    monkeypatch.setattr(
        "pipeline.sim.learner_program.build_image", lambda *_: built.append(1) or Image
    )
    generated = HEADS["fc"].write(tmp_path / "generated")
    for _ in range(2):
        build_learner(generated, tmp_path / "learner", tmp_path / "build")
    assert built == [1]
    assert (tmp_path / "learner").read_bytes() == b"program"
    before = learner_digest(generated)
    MadeUpHead(steps=9).write(generated)
    assert learner_digest(generated) != before
    build_learner(generated, tmp_path / "learner", tmp_path / "build")
    assert built == [1, 1]
    with pytest.raises(InputError, match=r"har_model\.h"):
        learner_digest(tmp_path)
