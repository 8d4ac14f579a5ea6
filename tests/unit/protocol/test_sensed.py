"""The board's own sensor, as the client asks for it and takes its samples."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from pipeline.board.client import Client
from pipeline.board.link import KEPT
from pipeline.protocol import messages as m
from pipeline.protocol.frames import encode_frame
from pipeline.protocol.messages import Sensor, SensorTrouble
from tests.support.board_server import board_on_socket
from tests.support.fake_board import HELLO, LSM9DS1, NO_SENSOR, FakeBoard, FakeWire, Faults

WINDOW, HOP = HELLO.window, HELLO.hop


def client_on(sensor=LSM9DS1, **faults):
    wire = FakeWire(FakeBoard(sensor=sensor), Faults(**faults))
    return Client(wire, timeout_s=0.02), wire


def measured(count, seed=0):
    """(count, 6) float32 that are not what an int16 could carry."""
    return np.random.default_rng(seed).normal(0, 0.3, (count, 6)).astype(np.float32)


def sense(wire, samples, lost=0):
    for number, sample in enumerate(samples):
        wire.say(wire.board.sense(sample, 0 if number else lost))


def taken(client):
    found = []
    while (sensed := client.sensed()) is not None:
        found.append(sensed)
    return found


def test_the_state_of_the_sensor_is_told_and_asking_for_it_changes_nothing():
    client, wire = client_on()
    state = client.sensor()
    assert state == LSM9DS1
    assert (state.sensor, state.trouble, state.works) == (Sensor.LSM9DS1, SensorTrouble.RIGHT, True)
    assert wire.board.sending is False


def test_a_board_without_a_sensor_says_so():
    client, _ = client_on(NO_SENSOR)
    assert client.sensor() == NO_SENSOR
    assert not client.sensor().works


def test_a_sensor_that_falls_silent_is_told_at_the_next_request():
    client, wire = client_on()
    wire.board.sensor_next.append(replace(LSM9DS1, trouble=SensorTrouble.SILENT, bus_errors=3))
    assert [client.sensor().trouble for _ in range(3)] == [
        SensorTrouble.RIGHT,
        SensorTrouble.SILENT,
        SensorTrouble.SILENT,
    ]


def test_nothing_is_sent_before_it_is_asked_for_and_nothing_after_it_is_declined():
    client, wire = client_on()
    client.hello()
    sense(wire, measured(30))
    assert client.sensed() is None
    assert client.sensor(send=True).sending is True
    sense(wire, measured(30))
    assert sum(len(s.samples) for s in taken(client)) == 30
    assert client.sensor().sending is True, "asking for the state keeps what is"
    assert client.sensor(send=False).sending is False
    sense(wire, measured(30))
    assert client.sensed() is None
    assert client.sensor().sending is False


def test_a_new_session_begins_without_and_drops_what_came_before():
    client, wire = client_on()
    client.sensor(send=True)
    sense(wire, measured(30))
    client.hello()
    assert client.sensed() is None
    assert client.sensor().sending is False


def test_the_samples_come_bit_for_bit_with_their_numbers_and_gaps():
    client, wire = client_on()
    client.sensor(send=True)
    first, second = measured(25, seed=1), measured(17, seed=2)
    sense(wire, first)
    sense(wire, second, lost=7)
    found = taken(client)
    assert [(s.index, s.lost, len(s.samples)) for s in found] == [
        *[(0, 0, 10), (10, 0, 10), (20, 0, 5)],
        (32, 7, 10),
    ]
    together = np.concatenate([s.samples for s in found])
    assert together.dtype == np.float32
    assert together.tobytes() == np.concatenate((first, second[:10])).tobytes()


def test_the_samples_of_a_window_come_before_its_prediction():
    client, wire = client_on()
    client.sensor(send=True)
    seen = 0
    samples = measured(WINDOW + 3 * HOP + 9)
    for sample in samples:
        sense(wire, sample[None])
        while (prediction := client.prediction()) is not None:
            seen = sum(len(s.samples) for s in taken(client)) + seen
            assert seen == prediction.end_index + 1
    assert wire.board.windows == 4


def test_each_queue_is_read_alone():
    client, wire = client_on()
    client.sensor(send=True)
    sense(wire, measured(WINDOW + HOP))
    assert [client.prediction().end_index for _ in range(2)] == [WINDOW - 1, WINDOW + HOP - 1]
    assert sum(len(s.samples) for s in taken(client)) == WINDOW + HOP


def test_who_takes_no_samples_keeps_the_newest_and_the_answers_still_come():
    client, wire = client_on()
    client.sensor(send=True)
    piece = m.Sensed(0, 0, 0, np.zeros((1, 6), np.float32))
    for index in range(KEPT + 5):
        data = replace(piece, index=index).encode()
        wire.say(encode_frame(m.MessageType.SENSED, index & 0xFFFF, data))
    assert client.status().samples_lost == 0
    found = taken(client)
    assert (len(found), found[0].index) == (KEPT, 5)


def test_a_host_that_sends_samples_of_its_own_gets_none():
    client, wire = client_on()
    client.sensor(send=True)
    client.stream(np.zeros((WINDOW, 6), np.float32))
    sense(wire, measured(30))
    assert client.sensed() is None


@pytest.mark.parametrize("kind", ["drop", "duplicate", "corrupt", "delay"])
@pytest.mark.parametrize("way", ["host", "board"])
def test_the_state_is_right_whatever_the_wire_does(kind, way):
    rng = random.Random(f"{kind} {way}")
    hit = {n for n in range(2000) if rng.randrange(4) == 0}
    fault = lambda n: kind if n in hit and n - 1 not in hit else ""  # noqa: E731
    client, wire = client_on(**{way: fault})
    for turn in range(20):
        send = turn % 2 == 0
        assert client.sensor(send=send) == replace(LSM9DS1, sending=send)
        assert wire.board.sending == send


def test_samples_come_through_a_real_port():
    with board_on_socket(FakeBoard()) as server, Client.open(server.port) as client:
        client.sensor(send=True)
        server.sense(20, 0.5)
        server.sense(10, 0.25, lost=2)
        found = [client.sensed(2.0) for _ in range(3)]
        assert [(s.index, s.lost) for s in found] == [(0, 0), (10, 0), (22, 2)]
        assert found[2].samples.tolist() == [[0.25] * 6] * 10
        assert client.status().samples_lost == 2
