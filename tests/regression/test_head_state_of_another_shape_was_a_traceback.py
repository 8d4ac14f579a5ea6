"""A board whose HEAD_STATE counted labels of other activities than its HELLO had named ended
`har head show` in a traceback; a prediction in the same packet as HELLO's answer went unchecked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from pipeline.board.client import Client
from pipeline.protocol import messages as m
from pipeline.protocol.frames import encode_frame
from pipeline.protocol.messages import DecodeError
from tests.support.board_server import board_on_socket
from tests.support.fake_board import (
    ACTIVITIES,
    FEATURES,
    ROWS,
    FakeBoard,
    FakeWire,
    Learned,
)

ASKED = ("save", "head", "undo", "head_reset", "head_rollback", "pull", "push")
WRONG = {
    "too few labels": {"labels": (1,)},
    "no labels": {"labels": ()},
    "too many labels": {"labels": (1,) * (len(ACTIVITIES) + 1)},
    "a name without a label": {"taught": ("cycling",)},
    "more rows": {"rows": ROWS + 1},
    "more features": {"features": FEATURES + 1},
    "no features": {"features": 0},
}


class LyingBoard(FakeBoard):
    """Tells of another head than the one it has."""

    def __init__(self, changes: dict[str, object]) -> None:
        super().__init__()
        self.changes = changes

    def _state(self) -> m.HeadState:
        return replace(super()._state(), **self.changes)


def test_no_request_takes_the_state_of_another_head() -> None:
    for asked in ASKED:
        for changes in WRONG.values():
            _refuses(asked, changes)


def _refuses(asked: str, changes: dict[str, object]) -> None:
    board = LyingBoard(changes)
    client = Client(FakeWire(board), timeout_s=0.02)
    client.hello()
    board.saved = [Learned(), Learned(labels=[1, 0, 0, 0, 0]), Learned(labels=[2, 0, 0, 0, 0])]
    board.before = Learned()
    arguments = [board._head()] if asked == "push" else []
    with pytest.raises(DecodeError, match="flash the firmware") as caught:
        getattr(client, asked)(*arguments)
    assert "\n" not in str(caught.value)


def test_head_show_answers_with_one_line() -> None:
    app = typer.Typer()
    from pipeline.cli.board import head_app

    app.add_typer(head_app, name="head")
    for what, changes in WRONG.items():
        with board_on_socket(LyingBoard(changes)) as server:
            result = CliRunner().invoke(app, ["head", "show", "--port", server.port])
        (line,) = result.stderr.strip().splitlines()
        assert result.exit_code == 3, what
        assert line.startswith("har: ") and line.endswith(
            "flash the firmware that belongs to this har"
        )
        assert result.stdout == "", what
    with board_on_socket(LyingBoard({})) as server:
        result = CliRunner().invoke(app, ["head", "show", "--port", server.port, "--json"])
        assert list(json.loads(result.stdout)["labels"]) == list(ACTIVITIES)


def test_a_prediction_in_the_packet_of_hello_is_held_against_it() -> None:
    board = FakeBoard()
    answer = board.feed
    shares = (0.1,) * (len(ACTIVITIES) + 1)
    odd = m.Prediction(127, 0, len(ACTIVITIES), 0, 0, 0, 0, 0.5, 0.0, shares)
    board.feed = lambda data: answer(data) + encode_frame(odd.TYPE, 0, odd.encode())
    client = Client(FakeWire(board), timeout_s=0.02)
    client.hello()
    with pytest.raises(DecodeError, match="a prediction over 4 activities"):
        client.prediction()
