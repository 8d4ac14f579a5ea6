"""A board that never stopped sending, zeros or whole frames, made record, stream, doctor, monitor,
learn and head push wait for ever, and its replies filled the memory: every wait now ends by the
clock, and every queue is bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from pipeline.board import recording
from pipeline.board.client import Client
from pipeline.board.errors import NoAnswer
from pipeline.board.link import KEPT
from pipeline.board.playback import Stretch, replay, teach, teach_live
from pipeline.board.recording import Plan, record
from pipeline.cli.views.monitor import watch
from pipeline.core.errors import ExternalError, HarError
from pipeline.doctor.board import examine_client, listen
from pipeline.protocol import messages as m
from pipeline.protocol.frames import encode_frame
from tests.support.board_server import board_on_socket
from tests.support.fake_board import ACTIVITIES, FakeBoard, FakeWire
from tests.support.signals import heed_ctrl_c

LIMIT_S = 20.0  # of each wait here; what was waited for for ever is far beyond


def frames_of(message: m.Message, count: int = 50) -> bytes:
    return encode_frame(message.TYPE, 0xABCD, message.encode()) * count


SAMPLES = np.zeros((128, 6), np.float32)
STALE = m.Prediction(7, 0, 0, 0, 1, 1, 0, 1.0, 0.0, tuple([1 / 3] * 3))
FLOODS = {
    "zeros": bytes(4096),
    "half a frame": b"\x05half" * 500,
    "replies": frames_of(m.Status(*[0] * 8)),
    "refusals": frames_of(m.ErrorReply(m.MessageType.LABEL, 0xABCD, m.ErrorCode.STATE, "")),
    "predictions": frames_of(STALE),
    "sensed": frames_of(m.Sensed(0, 0, 0, np.zeros((10, 6), np.float32))),
}


class Talker(FakeWire):
    """A wire on which each read finds `flood`; after what the board answers unless it is `deaf`."""

    def __init__(self, flood: bytes, *, deaf: bool, board: FakeBoard | None = None) -> None:
        super().__init__(board or FakeBoard())
        self.flood = flood
        self.deaf = deaf
        self.began = time.monotonic()

    def read(self, timeout_s: float) -> bytes:
        assert time.monotonic() - self.began < LIMIT_S, "this wait does not end by the clock"
        answer = super().read(min(timeout_s, 0.001))
        return self.flood if self.deaf else answer + self.flood + b"\x00"


def talk(flood: str, *, deaf: bool) -> Client:
    return Client(Talker(FLOODS[flood], deaf=deaf), timeout_s=0.02)


every_flood = pytest.mark.parametrize("flood", FLOODS)


COMMANDS: dict[str, Callable[[Client, Path], object]] = {
    "stream": lambda client, _: replay(client, [Stretch("a", "walking", SAMPLES)]),
    "record": lambda client, path: record(client, Plan("walking", 1.0, path, countdown_s=0.0)),
    "learn from a recording": lambda client, _: teach(client, [(SAMPLES, "walking")]),
    "learn live": lambda client, _: teach_live(client, "walking", 1),
    "head push": lambda client, _: client.push(FakeBoard()._head()),
    "head pull": lambda client, _: client.pull(),
}


@every_flood
@pytest.mark.parametrize("command", COMMANDS)
def test_a_board_that_talks_and_never_answers_is_one_line(
    command: str, flood: str, tmp_path: Path
) -> None:
    client = talk(flood, deaf=True)
    with client, pytest.raises(NoAnswer, match="does not answer HELLO"):
        COMMANDS[command](client, tmp_path)


@every_flood
@pytest.mark.parametrize("command", ["stream", "learn from a recording", "head push", "head pull"])
def test_a_board_that_answers_and_talks_is_followed(
    command: str, flood: str, tmp_path: Path
) -> None:
    with talk(flood, deaf=False) as client:
        COMMANDS[command](client, tmp_path)


@every_flood
def test_a_board_that_falls_into_talking_in_mid_session_ends_every_wait(
    flood: str,
) -> None:
    client = talk(flood, deaf=False)
    with client:
        client.hello()
        wire = client._link.transport
        assert isinstance(wire, Talker)
        wire.deaf = True
        began = time.monotonic()
        client.prediction(0.05)
        client.sensed(0.05)
        for command in (client.status, lambda: client.stream(SAMPLES), client.save, client.pull):
            with pytest.raises(NoAnswer):
                command()
        assert time.monotonic() - began < LIMIT_S / 2


@every_flood
def test_a_recording_without_new_samples_ends(
    flood: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SILENCE_S", 0.1)
    with talk(flood, deaf=False) as client:
        plan = Plan("walking", 5.0, tmp_path, countdown_s=0.0)
        if flood == "sensed":  # the same ten samples, again and again: those are kept
            taken = record(client, plan)
            assert taken.interrupted is not None and "sent no new samples" in taken.interrupted
            assert taken.samples == 10
        else:
            with pytest.raises(ExternalError, match="sent no new samples"):
                record(client, plan)


@every_flood
def test_labels_that_are_never_taken_end_it(flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.board.playback.PATIENCE_WINDOWS", 0.05)
    with talk(flood, deaf=False) as client, pytest.raises(NoAnswer, match=r"no (prediction|label)"):
        teach_live(client, "walking", 1)


@every_flood
@pytest.mark.parametrize("deaf", [True, False])
def test_the_doctor_comes_to_its_end(flood: str, deaf: bool) -> None:
    with talk(flood, deaf=deaf) as client:
        checks = list(examine_client(client, None, 0.1, lambda _: None))
    assert checks[-1].name == ("firmware" if deaf else "storage")


@every_flood
def test_the_doctor_listens_for_as_long_as_it_says(flood: str) -> None:
    with talk(flood, deaf=False) as client:
        client.hello()
        began = time.monotonic()
        listen(client, 0.2)
        assert time.monotonic() - began < 1.0


@every_flood
def test_the_monitor_asks_for_its_figures_and_notices_that_nobody_answers(flood: str) -> None:
    told: list[str] = []
    wires = [Talker(FLOODS[flood], deaf=False), Talker(FLOODS[flood], deaf=True)]

    class Enough(HarError):
        pass

    def tell(text: str) -> None:
        told.append(text)
        wires[0].deaf = wires[0].deaf or text.startswith("motion sensor")
        if "showing its text" in text:
            raise Enough(text)

    left = iter(wires)
    sightings = watch(
        "fake",
        tell,
        open_transport=lambda _: next(left),
        hello_timeout_s=0.02,
        retry_s=0.001,
        poll_s=0.05,
    )
    with closing(sightings), pytest.raises(Enough):
        for _ in sightings:
            pass
    assert any("waiting for it (Ctrl-C ends)" in text for text in told)


@every_flood
def test_what_nobody_takes_does_not_fill_the_memory(flood: str) -> None:
    with talk(flood, deaf=False) as client:
        client.hello()
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            client.prediction(0.1)
        link = client._link
        for kept in vars(link).values():
            assert not isinstance(kept, list | deque) or len(kept) <= KEPT


@pytest.mark.parametrize("command", ["record", "monitor"])
def test_ctrl_c_ends_it_while_the_board_talks(command: str, tmp_path: Path) -> None:
    with board_on_socket(FakeBoard()) as server:
        stop = threading.Event()

        def flood() -> None:
            while not stop.is_set():
                with server._turn, suppress(OSError):  # the client has hung up
                    server._send(bytes(65536))
                time.sleep(0.001)

        threading.Thread(target=flood, daemon=True).start()
        arguments = {
            "record": ["record", "--activity", ACTIVITIES[0], "--countdown", "60"],
            "monitor": ["monitor"],
        }[command]
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli.main", *arguments, "--port", server.port],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_ctrl_c,
        )
        try:
            deadline = time.monotonic() + 60
            while not server.board.framed and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)[1]
        finally:
            process.kill()
            stop.set()
    assert process.returncode in ((0,) if command == "monitor" else (130, 3))
    assert "Traceback" not in said
