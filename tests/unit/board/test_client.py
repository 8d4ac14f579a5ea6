"""The client against a board in Python, over a wire that drops, doubles, damages and delays."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from pipeline.board.client import Client
from pipeline.board.errors import BoardRefused, NoAnswer, PortLost
from pipeline.core.errors import CheckFailed, InputError
from pipeline.head import Guard
from pipeline.protocol import messages as m
from pipeline.protocol.frames import FrameDecoder, encode_frame
from pipeline.protocol.messages import DecodeError
from tests.support.fake_board import (
    ACTIVITIES,
    CAPACITY,
    EVIDENCE,
    FEATURES,
    HELLO,
    HOLD_EVERY,
    MODEL_ID,
    ROWS,
    FakeBoard,
    FakeWire,
    Faults,
    board_with,
)

FAULTS = ("drop", "duplicate", "corrupt", "delay")


def client_on(board=None, *, host=lambda _: "", from_board=lambda _: "", **options):
    wire = FakeWire(board or FakeBoard(), Faults(host, from_board))
    options.setdefault("timeout_s", 0.02)
    return Client(wire, **options), wire


def samples_of(activity, count=128):
    """Samples that the fake board takes for this activity."""
    samples = np.zeros((count, 6), np.float32)
    samples[:, 0] = ACTIVITIES.index(activity)
    return samples


def now_and_then(kind, seed, every=5):
    """A fault of this kind in about one frame of `every`; never two in a row."""
    rng = random.Random(seed)
    hit = set()
    for number in range(10_000):
        if number - 1 not in hit and rng.randrange(every) == 0:
            hit.add(number)
    return lambda number: kind if number in hit else ""


# ---- the session ---------------------------------------------------------------------------------


def test_hello_tells_who_is_there_and_leaving_says_bye():
    client, wire = client_on()
    with client:
        assert client.hello() == HELLO
        assert client.board == HELLO
        assert wire.board.framed
    assert not wire.board.framed
    assert wire.closed


def test_hello_is_said_without_being_asked_for():
    client, wire = client_on()
    client.status()
    assert isinstance(wire.board.executed[0], m.HelloRequest)


def test_hello_tells_the_board_the_time_of_day():
    client, wire = client_on()
    before = int(time.time())
    client.hello()
    assert before <= wire.board.time_s <= time.time()


def test_nothing_is_said_on_a_port_that_was_only_opened():
    client, wire = client_on()
    with client:
        pass
    assert wire.board.executed == []


def test_text_and_half_a_frame_before_hello_do_no_harm():
    client, wire = client_on()
    wire.say(b"walking 0.97\nwalking 0.9")
    wire.write(b"half a fra")
    assert client.hello() == HELLO


def test_what_a_board_predicts_right_behind_its_hello_is_kept_and_what_came_before_is_not():
    client, wire = client_on()
    board = wire.board
    board.framed = True  # left so by an earlier program
    wire.say(b"".join(board.take(index, np.zeros(6)) for index in range(128)))
    greet = board.feed

    def feed(data):
        answer = greet(data)
        return answer + b"".join(board.take(index, np.zeros(6)) for index in range(192))

    board.feed = feed
    client.hello()
    board.feed = greet
    assert [client.prediction().end_index for _ in range(2)] == [127, 191]
    assert client.prediction() is None


def test_another_model_is_refused_with_both_names():
    client, _ = client_on(model_id="ffffffffffffffff")
    with pytest.raises(CheckFailed, match="runs model 0123456789abcdef, not ffffffffffffffff"):
        client.hello()
    client, _ = client_on(model_id=MODEL_ID)
    assert client.hello().model_id == MODEL_ID


@pytest.mark.parametrize("wrong", ["xyz", "01", b"1234567"])
def test_a_model_id_that_is_none_is_bad_input(wrong):
    with pytest.raises(InputError, match="16 hexadecimal digits"):
        client_on(model_id=wrong)


def test_another_protocol_version_is_refused():
    client, _ = client_on(board_with(version=1))
    with pytest.raises(CheckFailed, match="flash the firmware that belongs to this har"):
        client.hello()


def test_a_board_that_expects_a_shorter_hello_speaks_another_version():
    client, wire = client_on()

    def refuse(data):
        out = b""
        for frame in FrameDecoder().push(data):
            answer = m.ErrorReply(frame.type, frame.seq, m.ErrorCode.LENGTH, "5 bytes")
            out += encode_frame(answer.TYPE, frame.seq, answer.encode())
        return out

    wire.board.feed = refuse
    with pytest.raises(CheckFailed, match="does not speak protocol version 4"):
        client.hello()


def test_a_silent_port_is_a_world_error_that_says_what_to_do():
    client, _ = client_on(host=lambda _: "drop", timeout_s=0.002)
    with pytest.raises(NoAnswer, match="does not answer HELLO") as caught:
        client.hello()
    assert caught.value.exit_code == 3


def test_unplugging_is_told_and_leaving_then_raises_nothing_more():
    client, wire = client_on()
    with pytest.raises(PortLost), client:
        client.hello()
        wire.unplugged = True
        client.status()
    assert wire.closed


def test_an_interrupt_still_says_bye():
    client, wire = client_on()
    with pytest.raises(KeyboardInterrupt), client:
        client.hello()
        wire.write(b"\x05half")  # what a Ctrl-C in the middle of a frame leaves behind
        raise KeyboardInterrupt
    assert not wire.board.framed


def test_a_board_that_started_anew_refuses_and_says_so():
    client, wire = client_on()
    client.hello()
    wire.board.framed = False
    with pytest.raises(BoardRefused, match="say HELLO first"):
        client.stream(samples_of("walking"))


@pytest.mark.parametrize("status", m.ErrorCode)
def test_a_refusal_without_words_is_told_in_words(status):
    said = str(BoardRefused("SAVE", status, ""))
    assert said.startswith("the board refused SAVE: ")
    assert "no reason" not in said
    assert str(BoardRefused("SAVE", status, "because")) == "the board refused SAVE: because"


def test_an_error_about_samples_is_not_overlooked():
    client, wire = client_on()
    client.hello()
    error = m.ErrorReply(m.MessageType.SAMPLES, 7, m.ErrorCode.ENGINE, "the engine failed")
    wire.say(encode_frame(error.TYPE, 7, error.encode()))
    with pytest.raises(BoardRefused, match="refused SAMPLES: the engine failed"):
        client.prediction()


# ---- requests over a bad wire --------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("way", ["host", "from_board"])
def test_every_answer_is_right_and_nothing_is_done_twice(kind, way):
    fault = now_and_then(kind, seed=f"{kind} {way}", every=3)
    client, wire = client_on(**{way: fault})
    client.hello()
    for turn in range(1, 11):
        before = len(wire.board.executed)
        end_index = 0
        while wire.board.last_end != end_index:  # until the window has come through whole
            streamed = client.stream(samples_of("sitting"))
            end_index = streamed.start_index + 127
        learned = client.label(end_index, "sitting")
        assert learned.updates == turn - turn // HOLD_EVERY
        assert (learned.outcome == m.Outcome.HELD_BACK) == (turn % HOLD_EVERY == 0)
        assert wire.board.labels == [0, turn, 0]
        assert learned.probability_after > learned.probability_before
        labels = [e for e in wire.board.executed[before:] if isinstance(e, m.LabelRequest)]
        assert len(labels) == 1
    assert client.save().unsaved is False
    assert sum(isinstance(e, m.SaveRequest) for e in wire.board.executed) == 1


def test_a_late_answer_to_an_earlier_request_is_not_taken_for_a_new_one():
    # The answer to the first STATUS stays behind until the second one is asked for.
    client, wire = client_on(from_board=lambda n: "delay" if n == 1 else "", attempts=2)
    client.hello()
    first = client.status()
    wire.board.received = 99
    assert first.samples_received == 0
    assert client.status().samples_received == 99


def test_a_refused_label_tells_the_boards_reason():
    client, _ = client_on()
    with pytest.raises(BoardRefused, match="that window is gone") as caught:
        client.label(5, "walking")
    assert caught.value.exit_code == 1
    assert caught.value.status == m.ErrorCode.STATE


@pytest.mark.parametrize("unknown", ["flying", 3, -1])
def test_an_unknown_activity_is_refused_before_anything_is_sent(unknown):
    client, wire = client_on()
    client.hello()
    with pytest.raises(InputError, match="it knows walking, sitting, lying"):
        client.label(0, unknown)
    assert not any(isinstance(e, m.LabelRequest) for e in wire.board.executed)


# ---- labels --------------------------------------------------------------------------------------


def taught(client, activity, count=1):
    """`count` labels of `activity`, shown as walking."""
    for _ in range(count):
        end_index = client.stream(samples_of("walking")).predictions[-1].end_index
        learned = client.label(end_index, activity)
    return learned


def test_a_label_tells_its_outcome_and_whether_the_learned_head_serves():
    client, wire = client_on()
    assert taught(client, "walking").serves is False
    assert taught(client, "lying", EVIDENCE).serves is True
    wire.board.outcomes.append(m.Outcome.UNDONE)
    assert taught(client, "sitting").outcome == m.Outcome.UNDONE
    state = client.head()
    assert state.guard == Guard(judged=4, shipped_right=1, learned_right=4, undone=1)
    assert (state.serves, state.can_undo) == (True, True)
    assert (state.stored, state.capacity, state.evidence) == (3, CAPACITY, EVIDENCE)
    assert state.since_s == wire.board.time_s


def test_the_last_label_is_taken_back_and_only_that():
    client, _ = client_on()
    taught(client, "lying")
    before = client.head()
    taught(client, "sitting")
    assert client.undo() == replace(before, can_undo=False)
    with pytest.raises(BoardRefused, match="no label to take back") as caught:
        client.undo()
    assert caught.value.status == m.ErrorCode.STATE


@pytest.mark.parametrize("kind", ["", *FAULTS])
@pytest.mark.parametrize("way", ["host", "from_board"])
def test_an_activity_is_named_once_whatever_the_wire_does(kind, way):
    client, wire = client_on(**{way: now_and_then(kind, seed=kind, every=3)})
    client.hello()
    assert [client.name("cycling"), client.name("Treppe \u2191")] == [3, 4]
    assert client.board.activities == (*ACTIVITIES, "cycling", "Treppe \u2191")
    assert client.board.taught == tuple(wire.board.head.names)
    state = client.head()
    assert (state.taught, state.labels, state.unsaved) == (client.board.taught, (0,) * 5, True)
    assert client.hello() == replace(HELLO, activities=client.board.activities)


def test_a_taught_activity_is_labelled_by_its_name_and_forgotten_by_a_reset():
    client, _ = client_on()
    client.name("cycling")
    assert taught(client, "cycling", 2).activity == 3
    (prediction,) = client.stream(samples_of("walking")).predictions
    assert len(prediction.probabilities) == 4
    client.head_reset()
    assert client.board.activities == ACTIVITIES
    with pytest.raises(InputError, match="knows no activity 'cycling'"):
        client.label(0, "cycling")


def test_predictions_of_other_activities_do_not_outlive_a_new_name():
    client, wire = client_on()
    client.hello()
    wire.say(b"".join(wire.board.take(index, np.zeros(6)) for index in range(200)))
    client.name("cycling")
    assert client.prediction() is None


@pytest.mark.parametrize("name", ["", "walking", "unknown", "a\nb", "\u00e4" * 16])
def test_a_name_that_can_be_none_is_refused_before_anything_is_sent(name):
    client, wire = client_on()
    client.hello()
    with pytest.raises(InputError, match="name"):
        client.name(name)
    assert wire.board.head.names == []
    assert not any(isinstance(e, m.NameRequest) for e in wire.board.executed)


def test_a_board_without_room_names_what_it_was_taught():
    client, wire = client_on()
    for name in ("cycling", "rowing"):
        client.name(name)
    with pytest.raises(CheckFailed, match="no room for 'skiing'; added so far: cycling, rowing; "):
        client.name("skiing")
    assert wire.board.head.names == ["cycling", "rowing"]
    full, _ = client_on(board_with(rows=3))
    with pytest.raises(CheckFailed, match="has no spare rows"):
        full.name("skiing")


def test_a_number_that_is_not_the_next_one_is_not_taken():
    client, wire = client_on()
    client.hello()
    wire.board._name = lambda _: m.Named(7)
    with pytest.raises(DecodeError, match="gave 'cycling' the number 7, not 3"):
        client.name("cycling")


# ---- streaming -----------------------------------------------------------------------------------


def test_a_stream_gives_one_prediction_for_each_window():
    client, _ = client_on()
    result = client.stream(samples_of("lying", 128 + 3 * 64 + 10))
    assert [p.end_index for p in result.predictions] == [127, 191, 255, 319]
    assert {p.activity for p in result.predictions} == {ACTIVITIES.index("lying")}
    assert (result.samples_sent, result.samples_lost) == (330, 0)
    assert (result.saturated, result.predictions_missing) == (0, 0)


def test_streams_are_numbered_on_so_that_no_two_windows_share_a_name():
    client, _ = client_on()
    first = client.stream(samples_of("lying", 130))
    second = client.stream(samples_of("walking", 130))
    assert (first.start_index, second.start_index) == (0, 130)
    assert [p.end_index for p in second.predictions] == [257]


def test_a_stream_in_pieces_gives_what_the_whole_gives():
    client, _ = client_on()
    samples = samples_of("sitting", 500)
    whole = [p.end_index for p in client.stream(samples).predictions]
    pieces = []
    for at in range(0, 500, 90):
        piece = client.stream(samples[at : at + 90], restart=at == 0)
        assert piece.predictions_missing == 0
        pieces += [p.end_index for p in piece.predictions]
    assert pieces == [end + 500 for end in whole]


def test_sample_numbers_wrap_at_two_to_the_32():
    client, _ = client_on()
    start = 2**32 - 100
    client.hello()
    client._next_index = start
    result = client.stream(samples_of("lying", 256))
    assert [p.end_index for p in result.predictions] == [27, 91, 155]
    assert (result.samples_lost, result.predictions_missing) == (0, 0)
    learned = client.label(start + 255, "lying")
    assert learned.end_index == 155


def test_predictions_of_the_boards_own_sensor_are_not_taken_for_the_streams():
    client, wire = client_on()
    client.hello()
    for index in range(200):
        wire.say(wire.board.take(index, np.zeros(6)))
    result = client.stream(samples_of("lying", 256))
    assert [(p.end_index, p.activity) for p in result.predictions] == [(127, 2), (191, 2), (255, 2)]
    assert result.samples_lost == 0


def test_values_beyond_the_range_are_counted():
    client, _ = client_on()
    samples = samples_of("walking")
    samples[3, 0], samples[4, 5] = 9.0, -50.0
    assert client.stream(samples).saturated == 2


@pytest.mark.parametrize(
    "samples", [np.zeros((5, 5), np.float32), np.full((5, 6), np.nan, np.float32)]
)
def test_bad_samples_are_refused_before_anything_is_sent(samples):
    client, wire = client_on()
    with pytest.raises(InputError):
        client.stream(samples)
    assert wire.board.received == 0


def test_no_samples_give_no_predictions():
    client, _ = client_on()
    result = client.stream(np.zeros((0, 6), np.float32))
    assert (result.predictions, result.samples_sent, result.samples_lost) == ((), 0, 0)


@pytest.mark.parametrize("kind", FAULTS)
def test_what_a_bad_wire_to_the_board_loses_is_counted_to_the_sample(kind):
    client, wire = client_on(host=now_and_then(kind, seed=kind, every=12))
    client.stream(samples_of("lying", 0))
    for _ in range(5):
        before = wire.board.received
        result = client.stream(samples_of("lying", 1000))
        assert result.samples_sent == 1000
        assert result.samples_lost == 1000 - (wire.board.received - before)
        ends = [p.end_index for p in result.predictions]
        assert ends == sorted(set(ends))
        assert len(ends) + result.predictions_missing == 14
        if kind in ("duplicate", "delay"):
            assert result.samples_lost == 0


@pytest.mark.parametrize("kind", FAULTS)
def test_what_a_bad_wire_from_the_board_loses_is_counted_to_the_prediction(kind):
    client, _ = client_on(from_board=now_and_then(kind, seed=kind, every=4))
    lost = 0
    for _ in range(5):
        result = client.stream(samples_of("lying", 1000))
        assert result.samples_lost == 0
        ends = [p.end_index - result.start_index for p in result.predictions]
        assert ends == sorted(set(ends))
        assert set(ends) <= set(range(127, 1000, 64))
        assert len(ends) + result.predictions_missing == 14
        lost += result.predictions_missing
    assert (lost > 0) == (kind in ("drop", "corrupt"))
    assert (client.frames_bad > 0) == (kind == "corrupt")


def test_the_sender_never_runs_far_ahead_of_the_predictions():
    class Watched(FakeWire):
        worst = 0

        def write(self, data):
            super().write(data)
            waiting = sum(len(data) for data in self._to_host)
            self.worst = max(self.worst, waiting)

    wire = Watched(FakeBoard())
    client = Client(wire, timeout_s=0.05)
    assert client.stream(samples_of("walking", 5000)).predictions_missing == 0
    assert wire.worst < 6 * 50  # bytes of six predictions


def test_a_thousand_frames_take_well_under_a_second_each():
    client, _ = client_on(timeout_s=1.0)
    client.hello()
    samples = samples_of("walking", 32_000)
    started = time.monotonic()
    result = client.stream(samples)
    spent = time.monotonic() - started
    assert result.predictions_missing == 0
    assert spent < 10.0  # most of it is the fake board's own work


# ---- heads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", *FAULTS])
def test_a_pulled_head_can_be_pushed_back_over_any_wire(kind):
    client, wire = client_on(host=now_and_then(kind, seed=1), from_board=now_and_then(kind, seed=2))
    wire.board.head.weights[:] = np.arange(500, dtype=np.float32).reshape(ROWS, FEATURES)
    wire.board.head.names = ["cycling"]
    wire.board.labels = [3, 1, 2, 5]
    payload = client.pull()
    assert len(payload) == 48 + 8 * ROWS + 32 * (ROWS - 3) + 4 * ROWS * (FEATURES + 1)
    state = client.head_reset()
    assert (state.updates, client.board.activities) == (0, ACTIVITIES)
    state = client.push(payload)
    assert (state.updates, state.labels, state.unsaved) == (11, (3, 1, 2, 5), False)
    assert client.board.activities == (*ACTIVITIES, "cycling")
    assert client.pull() == payload
    assert client.head() == state
    assert sum(isinstance(e, m.HeadCommitRequest) for e in wire.board.executed) == 1


def test_a_head_of_another_shape_or_beyond_the_limit_is_refused_before_anything_is_sent():
    client, wire = client_on()
    whole = wire.board._head()
    with pytest.raises(InputError, match="made for 99 features and 5 activities, not 100 and 5"):
        client.push(b"\x63\x00" + whole[2:])
    wire.board.head.names = ["walking in snow"]
    renamed = wire.board._head().replace(b"\x0fwalking in snow", b"\x07walking" + bytes(8))
    with pytest.raises(InputError, match="an activity 'walking' already"):
        client.push(renamed)
    with pytest.raises(InputError, match="cut off"):
        client.push(whole[:-4])
    with pytest.raises(InputError, match="larger than 1048576"):
        client.push(whole[:-4] + np.float32(2e6).tobytes())
    assert not any(isinstance(e, m.HeadWriteRequest) for e in wire.board.executed)


def test_rollback_goes_back_and_tells_when_there_is_nothing():
    client, wire = client_on()
    with pytest.raises(BoardRefused, match="nothing to roll back to"):
        client.head_rollback()
    wire.board.labels = [1, 0, 0]
    client.save()
    wire.board.labels = [2, 0, 0]
    client.save()
    assert client.head_rollback().labels == (1, 0, 0)
    assert client.head_rollback().labels == (2, 0, 0)


def test_a_head_that_changes_while_it_is_read_is_not_taken():
    client, wire = client_on()
    client.hello()
    state = wire.board._state()
    wire.board._state = lambda: replace(state, head_crc=state.head_crc ^ 1)
    with pytest.raises(NoAnswer, match="pull again"):
        client.pull()


def test_a_head_of_any_size_is_not_read():
    client, wire = client_on()
    whole = wire.board._head()
    wire.board._head = lambda: whole[:4] + b"\xff" * 4 + whole[8:]
    state = wire.board._state()
    wire.board._state = lambda: state
    with pytest.raises(DecodeError, match="names a head of 17179869"):
        client.pull()


# ---- what is imported ----------------------------------------------------------------------------


def test_importing_the_client_loads_neither_tensorflow_nor_rich():
    code = (
        "import sys, pipeline.board.client; "
        "print([n for n in ('rich', 'tensorflow', 'scipy') if n in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_prediction_over_other_activities_than_hello_named_is_refused():
    client, wire = client_on()
    client.hello()
    odd = m.Prediction(0, 0, 0, 0, 0, 0, 0, 0.5, 0.0, tuple([0.1] * (len(HELLO.activities) + 1)))
    wire.say(encode_frame(odd.TYPE, 0, odd.encode()))
    with pytest.raises(DecodeError, match="flash the firmware"):
        client.prediction(0.1)
