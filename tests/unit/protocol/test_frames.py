"""pipeline/protocol/frames.py: golden vectors, round trips, and the guarantees G1 .. G7 of
docs/PROTOCOL.md on a damaged line."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.protocol.frames import (
    ENCODED_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    Frame,
    FrameDecoder,
    cobs_decode,
    cobs_encode,
    encode_frame,
)
from tests.golden.vectors import protocol

FRAMES = st.builds(
    Frame,
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    st.one_of(
        st.binary(max_size=PAYLOAD_BYTES_MAX),
        st.integers(0, PAYLOAD_BYTES_MAX).map(lambda n: b"\x00" * n),
        st.integers(0, PAYLOAD_BYTES_MAX).map(lambda n: b"\xff" * n),
    ),
)


def wire(frame: Frame) -> bytes:
    return encode_frame(frame.type, frame.seq, frame.payload)


def decode(*pieces: bytes) -> tuple[list[Frame], int]:
    decoder = FrameDecoder()
    frames = [frame for piece in pieces for frame in decoder.push(piece)]
    assert decoder.good == len(frames)
    return frames, decoder.bad


@pytest.mark.parametrize("vector", protocol()["frames"], ids=lambda v: v["name"])
def test_frame_equals_its_golden_vector(vector: dict[str, object]) -> None:
    frame = Frame(vector["type"], vector["seq"], bytes.fromhex(str(vector["payload"])))  # type: ignore[arg-type]
    assert wire(frame).hex() == vector["wire"]
    assert decode(bytes.fromhex(str(vector["wire"]))) == ([frame], 0)


@pytest.mark.parametrize("vector", protocol()["streams"], ids=lambda v: v["name"])
def test_stream_yields_what_its_golden_vector_says(vector: dict[str, object]) -> None:
    frames, bad = decode(bytes.fromhex(str(vector["wire"])))
    assert [frame.seq for frame in frames] == vector["seqs"]
    assert bad == vector["bad"]


@given(st.binary(max_size=1200))
def test_cobs_comes_back_and_holds_no_zero(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + len(data) // 254 + 1
    assert cobs_decode(encoded) == data


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 507, 508, 509, 762])
@pytest.mark.parametrize("head", [b"", b"\x00", b"\x00\x00", b"\x00a"])
def test_cobs_comes_back_at_the_edges_of_its_groups(size: int, head: bytes) -> None:
    data = b"x" * size + head
    assert cobs_decode(cobs_encode(data)) == data


@pytest.mark.parametrize("stuffed", [b"", b"\x00", b"\x03a", b"\x02\x00", b"\x01\x02", b"\xffabc"])
def test_bad_stuffing_is_refused(stuffed: bytes) -> None:
    with pytest.raises(ValueError, match="COBS"):
        cobs_decode(stuffed)


@given(st.lists(FRAMES, max_size=6), st.randoms(use_true_random=False))
def test_g3_any_splitting_gives_the_same_frames(frames: list[Frame], rng: random.Random) -> None:
    stream = b"".join(map(wire, frames))
    cuts = sorted(rng.randint(0, len(stream)) for _ in range(8))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decode(*pieces) == (frames, 0)
    assert decode(*(bytes([byte]) for byte in stream)) == (frames, 0)


@given(st.binary(max_size=2000), FRAMES)
def test_g4_the_frame_behind_the_first_zero_after_garbage_comes(
    garbage: bytes, frame: Frame
) -> None:
    frames, _ = decode(garbage + b"\x00" + wire(frame))
    assert frames[-1] == frame


@given(st.binary(max_size=3000))
def test_g5_every_run_of_bytes_is_yielded_or_counted_once(noise: bytes) -> None:
    frames, bad = decode(noise)
    assert len(frames) + bad == sum(1 for run in noise.split(b"\x00")[:-1] if run)


def damaged(stream: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Every single dropped, duplicated, corrupted, zeroed and inserted byte, each with its id."""
    for at in range(len(stream)):
        other = rng.randrange(1, 256)
        before, byte, after = stream[:at], stream[at : at + 1], stream[at + 1 :]
        yield f"drop:{at}", before + after
        yield f"duplicate:{at}", before + byte + byte + after
        yield f"corrupt:{at}", before + bytes([byte[0] ^ other]) + after
        yield f"zero:{at}", before + b"\x00" + after
        yield f"insert:{at}", before + bytes([other]) + byte + after
        yield f"insert-zero:{at}", before + b"\x00" + byte + after


@pytest.mark.parametrize("size", [0, 20, 300])
def test_g1_g4_one_damaged_byte_costs_at_most_two_frames_and_alters_none(size: int) -> None:
    rng = random.Random(size)
    sent = [Frame(i + 1, 1000 + i, rng.randbytes(size)) for i in range(4)]
    stream = b"".join(map(wire, sent))
    ends = [sum(len(wire(f)) for f in sent[: i + 1]) for i in range(4)]
    for case, line in damaged(stream, rng):
        at = int(case.partition(":")[2])
        hit = next(i for i, end in enumerate(ends) if at < end)
        frames, bad = decode(line)
        assert all(frame in sent for frame in frames), case
        # A lost 0x00 joins a frame with the next one: never more than these two.
        untouched = [f for i, f in enumerate(sent) if i not in (hit, hit + 1)]
        assert [f for f in frames if f in untouched] == untouched, case
        assert bad <= 2, case


def test_g6_g7_an_endless_frame_costs_no_memory_and_little_time() -> None:
    decoder = FrameDecoder()
    begin = time.process_time()
    for _ in range(100):
        assert decoder.push(b"\x55" * 10_000) == []
        assert len(decoder._pending) <= ENCODED_BYTES_MAX
    assert time.process_time() - begin < 1.0
    assert decoder.push(b"\x00") == []
    assert (decoder.good, decoder.bad) == (0, 1)


def test_g6_a_payload_of_513_bytes_is_dropped_although_its_crc_is_right() -> None:
    raw = b"\x09\x01\x00" + b"\x00" * 513
    encoded = cobs_encode(raw + zlib.crc32(raw).to_bytes(4, "little"))
    assert decode(encoded + b"\x00") == ([], 1)


@pytest.mark.parametrize(("kind", "seq", "size"), [(256, 0, 0), (1, 65536, 0), (1, -1, 0)])
def test_a_frame_with_numbers_out_of_range_is_not_built(kind: int, seq: int, size: int) -> None:
    with pytest.raises(ValueError, match="no frame"):
        encode_frame(kind, seq, bytes(size))


def test_a_frame_with_a_payload_too_long_is_not_built() -> None:
    with pytest.raises(ValueError, match="512"):
        encode_frame(1, 1, bytes(513))


@settings(max_examples=30)
@given(st.lists(FRAMES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_g1_heavy_noise_alters_no_frame(frames: list[Frame], rng: random.Random) -> None:
    stream = bytearray(b"".join(map(wire, frames)))
    for _ in range(rng.randint(1, 30)):
        at = rng.randrange(len(stream) + 1)
        stream[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        stream = stream or bytearray(b"\x00")
    got, _ = decode(bytes(stream))
    assert all(frame in frames for frame in got)
