"""pipeline/protocol/messages.py: golden vectors, round trips, and what each message refuses."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import wire
from pipeline.core.errors import ExternalError, InputError
from pipeline.head import Guard, Outcome
from pipeline.protocol import messages
from pipeline.protocol.frames import PAYLOAD_BYTES_MAX
from pipeline.protocol.messages import (
    Counter,
    DecodeError,
    Engine,
    ErrorCode,
    ErrorReply,
    HeadSource,
    HeadState,
    Hello,
    Learned,
    Message,
    MessageType,
    NameRequest,
    Prediction,
    SamplesMessage,
    Sensed,
    Sensor,
    SensorRequest,
    SensorState,
    SensorTrouble,
    Target,
)
from pipeline.protocol.samples import (
    CHANNELS,
    SAMPLES_PER_FRAME_MAX,
    SampleBlock,
    decode_samples,
    encode_samples,
)
from tests.golden.vectors import protocol

ROOT = Path(__file__).resolve().parents[3]
VECTORS = protocol()["messages"]
U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
MESSAGES = {int(declared.TYPE): declared for declared in Message.__subclasses__()}
ENDS_FREELY = {"HeadWriteRequest", "HeadData"}  # their bytes reach to the end


def payload_of(name: str) -> bytes:
    return bytes.fromhex(next(v["payload"] for v in VECTORS if v["name"] == name))


def refuses_each(wrong: Mapping[str, messages.Message], name: str) -> None:
    """Decoding refuses the payload of each, in the name of its frame."""
    for what, message in wrong.items():
        with pytest.raises(DecodeError, match=name):
            type(message).decode(message.encode())
            pytest.fail(f"taken: {what}")


MODEL = bytes.fromhex("0123456789abcdef")
# What the golden payloads say, by the names of the fields.
SAID: dict[str, dict[str, Any]] = {
    "HelloRequest": {"version": 4, "time_s": 1763709060},
    "SamplesMessage": {"index": 4096, "time_ms": 81920, "restart": True},  # and its samples, below
    "LabelRequest": {"end_index": 0xFFFFFFFE, "activity": 3},
    "LabelRecentRequest": {"number": 70000, "activity": 3},
    "Recent": {"number": 70000, "ages_ms": (12, 1292, 0xFFFFFFFE)},
    "HeadReadRequest": {"offset": 1016, "length": 508},
    "HeadWriteRequest": {"offset": 508, "data": bytes.fromhex("00ff00017f80")},
    "HeadCommitRequest": {"model_id": MODEL, "length": 3408, "crc": 0xDEADBEEF},
    "Hello": {
        "version": 4,
        "model_id": MODEL,
        "engine": Engine.COMPILED,
        "target": Target.MPS2,
        "counter": Counter.INSTRUCTIONS,
        "rate_hz": 50.0,
        "window": 128,
        "hop": 64,
        "features": 96,
        "rows": 4,
        "shipped": 2,
        "activities": ("walking", "Treppe \u2191", "lying"),
        "firmware_version": "0.1.0",
    },
    "Prediction": {
        "end_index": 127,
        "time_ms": 2540,
        "activity": 1,
        "features_crc": 0x12345678,
        "engine_count": 432083,
        "head_count": 5295,
        "smoothed": 0,
        "smoothed_probability": 0.5,
        "novelty": 1.25,
        "probabilities": (0.25, 0.75, 0.0),
    },
    "Learned": {
        "end_index": 127,
        "activity": 2,
        "outcome": Outcome.UNDONE,
        "serves": True,
        "updates": 9,
        "probability_before": 0.125,
        "probability_after": 0.5,
        "head_crc": 7,
        "update_count": 48271,
    },
    "HeadState": {
        "source": HeadSource.LEARNED,
        "serves": True,
        "unsaved": True,
        "can_undo": False,
        "sequence": 17,
        "updates": 5,
        "head_crc": 0xCAFEF00D,
        "records": 4,
        "features": 96,
        "rows": 4,
        "guard": Guard(judged=7, shipped_right=3, learned_right=6, undone=1),
        "held": 2,
        "held_right": 1,
        "stored": 6,
        "capacity": 36,
        "evidence": 3,
        "since_s": 1763709000,
        "saved_s": 1763709060,
        "labels": (2, 0, 5),
        "taught": ("lying",),
    },
    "HeadData": {"offset": 0, "data": bytes.fromhex("6000080720030000")},
    "HeadWritten": {"end_offset": 508},
    "NameRequest": {"name": "Treppe \u2193"},
    "Named": {"activity": 6},
    "SensorRequest": {"send": True},
    "SensorState": {
        "sensor": Sensor.LSM9DS1,
        "trouble": SensorTrouble.SILENT,
        "zero_known": True,
        "sending": False,
        "nominal_hz": 119.0,
        "rate_hz": 118.75,
        "gyro_zero": (0.0625, -0.03125, 0.5),
        "celsius": 33.5,
        "overruns": 3,
        "bus_errors": 70000,
        "saturated": 12,
        "late": 0xFFFFFFFF,
    },
    "Sensed": {"index": 0xFFFFFFFE, "time_ms": 81920, "lost": 3},  # and its samples, below
    "Status": {
        "uptime_ms": 1000,
        "samples_received": 500,
        "samples_lost": 3,
        "windows": 6,
        "frames_bad": 1,
        "frames_dropped": 2,
        "stack_used": 2048,
        "stack_size": 32768,
    },
    "ErrorReply": {"type": 3, "seq": 258, "status": ErrorCode.STATE, "text": "no such window"},
}


def test_every_message_equals_its_golden_vector() -> None:
    for vector in VECTORS:
        name, payload = vector["name"], bytes.fromhex(vector["payload"])
        message = MESSAGES[vector["type"]].decode(payload)
        assert type(message).__name__ == name
        assert message.encode() == payload, name
        said = {field.name: getattr(message, field.name) for field in fields(message)}  # type: ignore[arg-type]
        samples = said.pop("samples", None)
        assert said == SAID.get(name, {}), name
        if samples is not None:
            assert samples.dtype == (np.float32 if name == "Sensed" else np.int16)
            assert samples.tolist() == [vector["values"][4:10], vector["values"][10:]]


def test_every_message_refuses_every_wrong_length() -> None:
    for vector in VECTORS:
        name, payload = vector["name"], bytes.fromhex(vector["payload"])
        wrong = [payload[:size] for size in range(4 if name in ENDS_FREELY else len(payload))]
        if name not in ENDS_FREELY:
            # A byte 0 after HEAD_STATE would be one more activity, without a name.
            wrong.append(payload + b"\x00")
        for each in wrong:
            if (name, len(payload) - len(each)) in (("Prediction", 4), ("HeadState", 6)):
                continue  # good, of fewer activities: only HELLO_REPLY knows how many there are
            if name == "Recent" and len(each) in (4, 8, 12):
                continue  # good, of fewer windows
            with pytest.raises(DecodeError):
                MESSAGES[vector["type"]].decode(each)
                pytest.fail(f"{name} of {len(each)} bytes was taken")


@given(st.sampled_from(sorted(MESSAGES)), st.binary(max_size=PAYLOAD_BYTES_MAX))
def test_any_payload_is_decoded_to_itself_or_refused_in_one_line(kind: int, payload: bytes) -> None:
    try:
        message = MESSAGES[kind].decode(payload)
    except DecodeError as error:
        assert isinstance(error, ExternalError)
        assert "\n" not in str(error)
    else:
        assert message.encode() == payload


@given(st.data())
def test_a_changed_byte_of_a_good_payload_is_decoded_to_itself_or_refused(
    data: st.DataObject,
) -> None:
    vector = data.draw(st.sampled_from([v for v in VECTORS if v["payload"]]))
    payload = bytearray.fromhex(vector["payload"])
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(U8)
    try:
        message = MESSAGES[vector["type"]].decode(bytes(payload))
    except DecodeError:
        return
    assert message.encode() == bytes(payload)


@given(
    st.builds(
        Hello,
        version=U8,
        model_id=st.binary(min_size=8, max_size=8),
        engine=st.sampled_from(Engine),
        target=st.sampled_from(Target),
        counter=st.sampled_from(Counter),
        rate_hz=st.floats(1, 10_000, width=32),
        window=st.just(128),
        hop=st.integers(1, 128),
        features=st.integers(1, 0xFFFF),
        rows=st.integers(6, 0xFF),
        shipped=st.just(1),
        activities=st.lists(
            st.text("abc \u00e4\u2191", min_size=1, max_size=20),
            min_size=1,
            max_size=6,
            unique=True,
        ).map(tuple),
        firmware_version=st.text("0123456789.", max_size=20),
    )
)
def test_hello_comes_back(hello: Hello) -> None:
    assert Hello.decode(hello.encode()) == hello


@given(
    st.builds(
        Prediction,
        *[U32, U32, st.integers(0, 2), U32, U32, U32],
        *[st.integers(0, 2), st.floats(0, 1, width=32), st.floats(0, 1e6, width=32)],
        st.lists(st.floats(0, 1, width=32), min_size=3, max_size=9).map(tuple),
    )
)
def test_prediction_comes_back(prediction: Prediction) -> None:
    assert Prediction.decode(prediction.encode()) == prediction


@given(
    st.builds(
        HeadState,
        *[st.sampled_from(HeadSource), st.booleans(), st.booleans(), st.booleans()],
        *[U32, U32, U32, U8, U16, st.integers(30, 0xFF)],
        st.builds(Guard, U32, U32, U32, U32),
        *[st.integers(5, 9), st.integers(0, 5), st.integers(9, 99), st.integers(99, 0xFFFF), U16],
        *[U32, U32],
        st.lists(U32, min_size=4, max_size=30).map(tuple),
        st.lists(st.text("abc \u00e4", min_size=1, max_size=20), max_size=3).map(tuple),
    )
)
def test_head_state_comes_back(state: HeadState) -> None:
    assert HeadState.decode(state.encode()) == state


GOOD_HELLO = Hello.decode(payload_of("Hello"))
WRONG_HELLOS = {
    "rate is zero": replace(GOOD_HELLO, rate_hz=0.0),
    "rate is senseless": replace(GOOD_HELLO, rate_hz=1e30),
    "rate is below one": replace(GOOD_HELLO, rate_hz=0.5),
    "rate is nan": replace(GOOD_HELLO, rate_hz=float("nan")),
    "rate is infinite": replace(GOOD_HELLO, rate_hz=float("inf")),
    "hop is zero": replace(GOOD_HELLO, hop=0),
    "hop beyond the window": replace(GOOD_HELLO, hop=129),
    "no features": replace(GOOD_HELLO, features=0),
    "no activities": replace(GOOD_HELLO, activities=()),
    "no shipped activity": replace(GOOD_HELLO, shipped=0),
    "fewer activities than shipped": replace(GOOD_HELLO, shipped=4),
    "more activities than rows": replace(GOOD_HELLO, rows=2),
    "an activity twice": replace(GOOD_HELLO, activities=("walking", "walking")),
    "an activity without a name": replace(GOOD_HELLO, activities=("walking", "")),
    "a name that steers the terminal": replace(GOOD_HELLO, activities=("\x1b[2J",)),
    "a version of two lines": replace(GOOD_HELLO, firmware_version="0.1\n0.2"),
}


def test_hello_with_a_value_out_of_range_is_refused() -> None:
    refuses_each(WRONG_HELLOS, "HELLO_REPLY")


@pytest.mark.parametrize("at", [9, 10, 11], ids=["engine", "target", "counter"])
def test_hello_with_an_unknown_enum_is_refused(at: int) -> None:
    payload = bytearray(GOOD_HELLO.encode())
    payload[at] = 9
    with pytest.raises(DecodeError, match=r"unknown .* \(9\)"):
        Hello.decode(bytes(payload))


def test_a_name_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(DecodeError, match="UTF-8"):
        Hello.decode(GOOD_HELLO.encode().replace(b"walking", b"walk\xffng"))
    with pytest.raises(DecodeError, match="UTF-8"):
        ErrorReply.decode(b"\x03\x00\x00\x06\x02\xc3\x28")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 1.5])
def test_a_probability_that_is_none_is_refused(value: float) -> None:
    payload = payload_of("Prediction")[:-4] + struct.pack("<f", value)
    with pytest.raises(DecodeError, match="probability"):
        Prediction.decode(payload)


@pytest.mark.parametrize("field", ["activity", "smoothed"])
def test_a_prediction_of_an_activity_that_it_does_not_list_is_refused(field: str) -> None:
    prediction = replace(Prediction.decode(payload_of("Prediction")), **{field: 3})
    with pytest.raises(DecodeError, match="activity 3 of 3"):
        Prediction.decode(prediction.encode())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5])
def test_a_novelty_that_is_none_is_refused(value: float) -> None:
    prediction = replace(Prediction.decode(payload_of("Prediction")), novelty=value)
    with pytest.raises(DecodeError, match="novelty"):
        Prediction.decode(prediction.encode())


@pytest.mark.parametrize(
    ("novelty", "shown"), [(0.0, ("a", 0.5)), (1.0, ("a", 0.5)), (2.5, ("unknown", 0.4))]
)
def test_a_prediction_shows_the_smoothed_activity_or_unknown(
    novelty: float, shown: tuple[str, float]
) -> None:
    prediction = replace(Prediction.decode(payload_of("Prediction")), novelty=novelty)
    assert prediction.shown(("a", "b", "c")) == shown


@pytest.mark.parametrize(("at", "flag"), [(1, "serves"), (2, "unsaved"), (3, "can_undo")])
def test_a_flag_is_zero_or_one(at: int, flag: str) -> None:
    payload = bytearray(payload_of("HeadState"))
    payload[at] = 2
    with pytest.raises(DecodeError, match=flag):
        HeadState.decode(bytes(payload))


GOOD_STATE = HeadState.decode(payload_of("HeadState"))
WRONG_STATES = {
    "more right than held back": replace(GOOD_STATE, held_right=3),
    "more held back than stored": replace(GOOD_STATE, stored=1),
    "more stored than there is room": replace(GOOD_STATE, capacity=5),
    "more activities than rows": replace(GOOD_STATE, rows=2),
    "only taught activities": replace(GOOD_STATE, taught=("a", "b", "c")),
    "a name that is empty": replace(GOOD_STATE, taught=("",)),
    "a name that steers the terminal": replace(GOOD_STATE, taught=("\x1b[2J",)),
}


def test_a_head_state_that_cannot_be_is_refused() -> None:
    refuses_each(WRONG_STATES, "HEAD_STATE")


@pytest.mark.parametrize(
    ("judged", "shipped_right", "missing"), [(0, 0, 3), (7, 5, 1), (7, 4, 0), (9, 2, 0), (1, 2, 3)]
)
def test_missing_evidence_is_what_the_shipped_head_has_not_got_wrong_yet(
    judged: int, shipped_right: int, missing: int
) -> None:
    state = replace(GOOD_STATE, guard=Guard(judged, shipped_right))
    assert state.evidence_missing == missing


def test_a_label_with_an_unknown_outcome_is_refused() -> None:
    payload = bytearray(payload_of("Learned"))
    payload[5] = 3
    with pytest.raises(DecodeError, match=r"unknown outcome \(3\)"):
        Learned.decode(bytes(payload))


def test_the_activities_behind_the_models_own_were_taught() -> None:
    assert GOOD_HELLO.taught == ("lying",)
    assert replace(GOOD_HELLO, shipped=3).taught == ()


@pytest.mark.parametrize("status", [0, 12, 255])
def test_an_error_with_an_unknown_status_is_refused(status: int) -> None:
    with pytest.raises(DecodeError, match="errorcode"):
        ErrorReply.decode(bytes([3, 0, 0, status, 0]))


@pytest.mark.parametrize(("at", "value"), [(8, 2), (8, 0x80), (9, 0), (9, 33), (9, 3), (9, 1)])
def test_samples_with_unknown_flags_or_another_count_are_refused(at: int, value: int) -> None:
    payload = bytearray(payload_of("SamplesMessage"))
    payload[at] = value
    with pytest.raises(DecodeError, match="SAMPLES"):
        SamplesMessage.decode(bytes(payload))


GOOD_SENSOR = SensorState.decode(payload_of("SensorState"))


@pytest.mark.parametrize(("field", "wire"), [("rate_hz", 0.0), ("celsius", float("nan"))])
def test_what_the_sensor_cannot_tell_yet_is_none(field: str, wire: float) -> None:
    unknown = replace(GOOD_SENSOR, **{field: None})
    assert SensorState.decode(unknown.encode()) == unknown
    assert struct.pack("<f", wire) in unknown.encode()
    assert unknown.document()[field] is None


def test_a_sensors_state_is_a_document() -> None:
    assert GOOD_SENSOR.document() == {
        **SAID["SensorState"],
        "sensor": "lsm9ds1",
        "trouble": "silent",
        "gyro_zero": [0.0625, -0.03125, 0.5],
    }


@pytest.mark.parametrize(
    ("sensor", "trouble", "works"),
    [
        (Sensor.BMI270, SensorTrouble.RIGHT, True),
        (Sensor.PLAYED, SensorTrouble.RIGHT, True),
        (Sensor.BMI270, SensorTrouble.REFUSED, False),
        (Sensor.NONE, SensorTrouble.ABSENT, False),
    ],
)
def test_a_sensor_works_that_is_there_and_right(
    sensor: Sensor, trouble: SensorTrouble, works: bool
) -> None:
    assert replace(GOOD_SENSOR, sensor=sensor, trouble=trouble).works is works


INFINITE, NAN = float("inf"), float("nan")
WRONG_SENSORS = {
    "nominal rate below zero": replace(GOOD_SENSOR, nominal_hz=-1.0),
    "rate is infinite": replace(GOOD_SENSOR, rate_hz=INFINITE),
    "rate is nan": replace(GOOD_SENSOR, rate_hz=NAN),
    "no gyroscope's zero": replace(GOOD_SENSOR, gyro_zero=(0.0, NAN, 0.0)),
    "infinitely hot": replace(GOOD_SENSOR, celsius=INFINITE),
}


def test_a_sensors_state_that_cannot_be_is_refused() -> None:
    refuses_each(WRONG_SENSORS, "SENSOR_STATE")


@pytest.mark.parametrize(("at", "value"), [(0, 4), (1, 5), (2, 2), (3, 2)])
def test_a_sensors_state_with_an_unknown_number_is_refused(at: int, value: int) -> None:
    payload = bytearray(payload_of("SensorState"))
    payload[at] = value
    with pytest.raises(DecodeError, match="SENSOR_STATE"):
        SensorState.decode(bytes(payload))


@pytest.mark.parametrize("flags", [2, 3, 0x80])
def test_a_request_for_the_sensor_with_unknown_flags_is_refused(flags: int) -> None:
    with pytest.raises(DecodeError, match="unknown flags"):
        SensorRequest.decode(bytes([flags]))


@pytest.mark.parametrize("count", [0, 1, 3, 21])
def test_sensed_samples_of_another_count_are_refused(count: int) -> None:
    payload = bytearray(payload_of("Sensed"))
    payload[12] = count
    with pytest.raises(DecodeError, match="SENSED"):
        Sensed.decode(bytes(payload))


@pytest.mark.parametrize("value", [INFINITE, NAN])
def test_a_sensed_sample_that_is_not_finite_is_refused(value: float) -> None:
    samples = np.zeros((2, 6), np.float32)
    samples[1, 5] = value
    with pytest.raises(DecodeError, match="not finite"):
        Sensed.decode(Sensed(0, 0, 0, samples).encode())


def test_a_message_that_does_not_fit_its_fields_is_not_built() -> None:
    samples = np.zeros((1, 6), np.int16)
    wrong: list[Any] = [
        SamplesMessage(2**32, 0, False, samples),
        SamplesMessage(0, 0, False, np.zeros((33, 6), np.int16)),
        SamplesMessage(0, 0, False, np.zeros((0, 6), np.int16)),
        SamplesMessage(0, 0, False, np.zeros((1, 5), np.int16)),
        SamplesMessage(0, 0, False, np.zeros((1, 6), np.int32)),  # type: ignore[arg-type]
        messages.LabelRequest(0, 256),
        messages.HelloRequest(time_s=2**32),
        NameRequest("x" * 256),
        messages.HeadCommitRequest(bytes(7), 0, 0),
        replace(GOOD_HELLO, model_id=bytes(9)),
        replace(GOOD_HELLO, rate_hz=1e39),
        ErrorReply(1, 1, ErrorCode.STATE, "x" * 256),
        replace(GOOD_SENSOR, late=2**32),
        Sensed(0, 0, 2**32, np.zeros((1, 6), np.float32)),
        Sensed(0, 0, 0, np.zeros((21, 6), np.float32)),
        Sensed(0, 0, 0, np.zeros((0, 6), np.float32)),
        Sensed(0, 0, 0, np.zeros((1, 6), np.float64)),  # type: ignore[arg-type]
    ]
    for message in wrong:
        with pytest.raises(ValueError, match=r"field|samples|model id"):
            message.encode()


def test_every_message_fits_a_frame() -> None:
    longest = SamplesMessage(0, 0, False, np.zeros((SAMPLES_PER_FRAME_MAX, 6), np.int16))
    assert len(longest.encode()) <= PAYLOAD_BYTES_MAX
    assert len(Sensed(0, 0, 0, np.zeros((20, 6), np.float32)).encode()) <= PAYLOAD_BYTES_MAX
    piece = messages.HeadWriteRequest(0, bytes(messages.HEAD_PIECE_BYTES_MAX))
    assert len(piece.encode()) == PAYLOAD_BYTES_MAX


def c_numbers(header: str, prefix: str) -> dict[str, int]:
    """What a header of the firmware defines, in enums and as integer macros, under `prefix`."""
    (path,) = (ROOT / "firmware").rglob(header)
    found = re.findall(
        rf"\b{prefix}(\w+)(?: =)? (0x[0-9A-Fa-f]+|\d+)u?\b",
        re.sub(r"/\*.*?\*/", "", path.read_text()),
    )
    return {name: int(value, 0) for name, value in found}


def test_numbers_are_those_of_the_firmware() -> None:
    def members(kind: type[IntEnum]) -> dict[str, int]:
        return {member.name: int(member) for member in kind}

    assert members(MessageType) == c_numbers("har_protocol.h", "HAR_MSG_")
    assert members(ErrorCode) == c_numbers("har_status.h", "HAR_ERR_")
    assert members(Target) == c_numbers("har_board.h", "HAR_TARGET_")
    assert members(Counter) == c_numbers("har_board.h", "HAR_COUNT_")
    sensor = members(Sensor) | members(SensorTrouble)
    assert sensor.items() <= c_numbers("har_board.h", "HAR_SENSOR_").items()
    outcomes = c_numbers("har_learner.h", "HAR_")
    assert members(Outcome).items() <= outcomes.items()


def test_sizes_and_flags_are_those_of_the_firmware() -> None:
    protocol_h = c_numbers("har_protocol.h", "HAR_")
    assert protocol_h["PROTOCOL_VERSION"] == messages.PROTOCOL_VERSION
    assert protocol_h["SAMPLES_PER_FRAME_MAX"] == SAMPLES_PER_FRAME_MAX
    assert protocol_h["SAMPLE_CHANNELS"] == CHANNELS
    link_max = c_numbers("har_frame.h", "HAR_LINK_")["MAX_PAYLOAD"]
    assert link_max == PAYLOAD_BYTES_MAX
    (header,) = (ROOT / "firmware").rglob("har_protocol.h")
    assert "HAR_HEAD_PIECE_BYTES_MAX (HAR_LINK_MAX_PAYLOAD - 4u)" in header.read_text()
    assert link_max - 4 == messages.HEAD_PIECE_BYTES_MAX
    for name in ("SAMPLES_FLAG_RESTART", "SENSOR_FLAG_SEND"):
        assert bytes([protocol_h[name]]) == SensorRequest(True).encode(), name


def test_payload_sizes_are_those_of_the_firmware() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "firmware/lib/app").glob("*.[ch]"))
    prediction = Prediction(0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, ()).encode()
    sensed = Sensed(0, 0, 0, np.zeros((1, 6), np.float32)).encode()
    hello = replace(GOOD_HELLO, activities=(), firmware_version="").encode()
    for size in (
        f"PREDICTION_BYTES_MAX ({len(prediction)}u + 4u * HAR_ROWS)",
        f"SENSED_HEADER_BYTES {len(sensed) - 24}u",
        f"NAMES_BYTES_MAX (HAR_LINK_MAX_PAYLOAD - {len(hello) - 1}u - sizeof HAR_FIRMWARE_VERSION)",
    ):
        assert f"#define {size}\n" in sources


# --- docs/PROTOCOL.md -------------------------------------------------------------------------


C_TYPES = {"B": "u8", "H": "u16", "I": "u32", "f": "f32", "<i2": "i16", "<f4": "f32"}


def written(name: str, kind: wire.Kind) -> str:
    """A field as docs/PROTOCOL.md writes it."""
    match kind:
        case wire.Number(code=code):
            return f"{name} {C_TYPES[code]}"
        case wire.Flag() | wire.Choice():
            return f"{name} u8"
        case wire.Text():
            return f"{name} string"
        case wire.Exactly(size=size):
            return f"{name} bytes" if size is None else f"{name} {size} bytes"
        case wire.Sequence(item=item, count=count):
            many = {None: "...", wire.COUNTED: "u8"}.get(count, count)
            return f"{name} [{many}] {written('', item).strip()}"
        case SampleBlock(dtype=dtype):
            return f"{name} [u8] 6 x {C_TYPES[dtype]}"
        case wire.Group(declared=declared):
            return payload_text(declared)
    raise AssertionError(kind)


def payload_text(declared: type[Any]) -> str:
    return ", ".join(written(name, kind) for name, kind in wire.layout(declared).items())


def test_the_tables_of_the_document_are_what_is_declared() -> None:
    document = (ROOT / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (0x[0-9A-F]{2}) \| (\w+) \| (.*?) ?\|", document, re.MULTILINE)
    told = {int(number, 0): (name, text) for number, name, text in rows}
    declared = {int(kind): (kind.name, payload_text(MESSAGES[kind])) for kind in MessageType}
    assert told == declared


# --- samples ----------------------------------------------------------------------------------


def test_samples_decode_to_the_golden_bits() -> None:
    for vector in protocol()["samples"]:
        wire = np.full((1, 6), vector["wire"], np.int16)
        bits = decode_samples(wire).astype(">f4").tobytes().hex()
        assert bits == vector["accel_g"] * 3 + vector["gyro_rad_s"] * 3


def test_every_wire_value_survives_decode_and_encode() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    wire = np.stack([every] * 6, axis=1)
    again, saturated = encode_samples(decode_samples(wire))
    assert np.array_equal(again, wire)
    assert saturated == 0


def test_samples_round_to_the_nearest_step_and_count_what_saturates() -> None:
    samples = np.array(
        [
            [0.6 / 4096, -0.6 / 4096, 0.4 / 4096, 0.6 / 800, 1.5 / 800, 2.5 / 800],
            [7.9999, -8.0, 8.0, 40.95, -40.96, 40.97],
            [1e30, -1e30, 0.0, 0.0, -1000.0, 0.0],
        ]
    )
    wire, saturated = encode_samples(samples)
    assert wire.dtype == np.int16
    assert wire.tolist() == [
        [1, -1, 0, 1, 2, 2],
        [32767, -32768, 32767, 32760, -32768, 32767],
        [32767, -32768, 0, 0, -32768, 0],
    ]
    # 7.9999 g rounds to 32768 steps, 8 g is 32768: one step beyond.
    assert saturated == 6


def test_samples_decode_to_float32_and_keep_their_shape() -> None:
    decoded = decode_samples(np.zeros((0, 6), np.int16))
    assert decoded.dtype == np.float32
    assert decoded.shape == (0, 6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_refused_by_its_number(value: float) -> None:
    samples = np.zeros((5, 6), np.float32)
    samples[3, 2] = value
    with pytest.raises(InputError, match="sample 3"):
        encode_samples(samples)


@pytest.mark.parametrize("shape", [(6,), (4, 5), (2, 3, 6)])
def test_samples_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="shape"):
        encode_samples(np.zeros(shape, np.float32))
