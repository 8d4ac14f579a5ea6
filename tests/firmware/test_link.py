"""firmware/lib/link under AddressSanitizer and UBSan: golden vectors, and the guarantees G1 .. G7
of docs/PROTOCOL.md on a damaged line. Buffers have their exact size, so that one byte too far ends
the program (G2)."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from pipeline.protocol.frames import (
    ENCODED_BYTES_MAX,
    Frame,
    FrameDecoder,
    cobs_decode,
    cobs_encode,
    encode_frame,
)
from tests.firmware.support.harness import answers
from tests.golden.vectors import protocol
from tests.support.programs import c_program

# SEED:STEP as a failed test prints it: that one case only.
REPLAY = os.environ.get("HAR_LINK_CASE", "")


@pytest.fixture(scope="module")
def link() -> Path:
    return c_program("link")


def hexed(data: bytes) -> str:
    return data.hex() or "."


def decode_line(stream: bytes, capacity: int = ENCODED_BYTES_MAX) -> str:
    return f"D {capacity} {hexed(stream)}"


def decoded(words: list[str]) -> tuple[list[Frame], int]:
    """An answer to D: the frames, and how many were bad."""
    *found, good, bad = words
    frames = []
    for word in found:
        kind, seq, _, payload = word.split(":")
        data = b"" if payload == "." else bytes.fromhex(payload)
        frames.append(Frame(int(kind), int(seq), data))
    assert len(frames) == int(good)
    return frames, int(bad)


def wire(frame: Frame) -> bytes:
    return encode_frame(frame.type, frame.seq, frame.payload)


# --- golden vectors ---------------------------------------------------------------------------


def test_frames_equal_their_golden_vectors(link: Path) -> None:
    vectors = protocol()["frames"]
    lines = [
        f"E {len(v['wire']) // 2} {v['type']} {v['seq']} {v['payload'] or '.'}" for v in vectors
    ] + [decode_line(bytes.fromhex(v["wire"])) for v in vectors]
    said = answers(link, lines)
    for vector, encoded, found in zip(
        vectors, said[: len(vectors)], said[len(vectors) :], strict=True
    ):
        assert encoded == [vector["wire"]], vector["name"]
        frame = Frame(vector["type"], vector["seq"], bytes.fromhex(vector["payload"]))
        assert decoded(found) == ([frame], 0), vector["name"]
        crc = int.from_bytes(cobs_decode(bytes.fromhex(vector["wire"])[:-1])[-4:], "little")
        assert found[0].split(":")[2] == str(crc), vector["name"]


def test_streams_yield_what_their_golden_vectors_say(link: Path) -> None:
    vectors = protocol()["streams"]
    said = answers(link, [decode_line(bytes.fromhex(v["wire"])) for v in vectors])
    for vector, words in zip(vectors, said, strict=True):
        frames, bad = decoded(words)
        assert [frame.seq for frame in frames] == vector["seqs"], vector["name"]
        assert bad == vector["bad"], vector["name"]


def layout_of(vector: dict[str, Any]) -> str:
    """With the sizes of its `x`, which only the values know."""
    forms = [
        f"{len(value) // 2}x" if form == "x" else form
        for form, value in zip(vector["layout"], vector["values"], strict=True)
    ]
    return "".join(forms) or "."


def on_the_line(form: str, value: object) -> str:
    if form == "s":
        return hexed(str(value).encode())
    return str(value)


def test_the_cursors_read_and_write_every_golden_message(link: Path) -> None:
    for vector in protocol()["messages"]:
        payload, layout = vector["payload"] or ".", vector["layout"] or "."
        size = len(vector["payload"]) // 2
        values = [
            on_the_line(form, value)
            for form, value in zip(vector["layout"], vector["values"], strict=True)
        ]
        written = " ".join(["W", str(size), layout, *values])
        read = f"R {layout_of(vector)} {payload}"
        said = answers(link, [written, read])
        assert said[0] == [payload], vector["name"]
        assert said[1][-1] == "done", vector["name"]
        for form, expected, got in zip(vector["layout"], values, said[1], strict=False):
            if form == "f":
                assert struct.pack("<f", float(got)) == struct.pack("<f", float(expected))
            else:
                assert got == expected, vector["name"]


def test_the_cursors_stop_at_every_wrong_length_of_every_golden_message(link: Path) -> None:
    for vector in protocol()["messages"]:
        payload, layout = bytes.fromhex(vector["payload"]), layout_of(vector)
        lines = [f"R {layout} {hexed(payload[:size])}" for size in range(len(payload))]
        lines.append(f"R {layout} {hexed(payload + b'!')}")
        *short, long = answers(link, lines)
        assert all(words[-1] == "failed" for words in short), vector["name"]
        assert long[-2:] == ["left", "1"], vector["name"]
        values = [
            on_the_line(form, value)
            for form, value in zip(vector["layout"], vector["values"], strict=True)
        ]
        lines = [
            " ".join(["W", str(size), vector["layout"], *values]) for size in range(len(payload))
        ]
        for size, words in enumerate(answers(link, lines) if lines else []):
            assert words[0] == "failed"
            assert int(words[1]) <= size


def test_a_failed_cursor_stays_failed_although_what_follows_would_fit(link: Path) -> None:
    said = answers(link, ["R IB 010203", "W 3 IB 7 1", "W 300 s " + "61" * 256, "W 9 sB 616263 4"])
    assert said == [["0", "0", "failed"], ["failed", "0"], ["failed", "0"], ["0361626304"]]


def test_samples_become_the_golden_bits(link: Path) -> None:
    vectors = protocol()["samples"]
    payload = b"".join(struct.pack("<6h", *[v["wire"]] * 6) for v in vectors)
    (words,) = answers(link, [f"S {payload.hex()}"])
    for i, vector in enumerate(vectors):
        expected = [vector["accel_g"]] * 3 + [vector["gyro_rad_s"]] * 3
        assert words[6 * i : 6 * i + 6] == expected


def test_every_sample_value_gives_the_same_bits_as_on_the_host(link: Path) -> None:
    import numpy as np

    from pipeline.protocol.samples import decode_samples

    every = np.stack([np.arange(-32768, 32768, dtype=np.int16)] * 6, axis=1)
    bits: list[str] = []
    pieces = np.array_split(every, 16)
    for words in answers(link, [f"S {piece.astype('<i2').tobytes().hex()}" for piece in pieces]):
        bits += words
    assert "".join(bits) == decode_samples(every).astype(">f4").tobytes().hex()


# --- a damaged line -----------------------------------------------------------------------------


def cases(stream: bytes, seed: int) -> list[tuple[str, int, bytes]]:
    """Each byte dropped, doubled, corrupted, zeroed, inserted: (id, place, what arrives)."""
    rng = random.Random(seed)
    found = []
    for at in range(len(stream)):
        flip, other = rng.randrange(1, 256), rng.randrange(1, 256)
        before, byte, after = stream[:at], stream[at : at + 1], stream[at + 1 :]
        for line in (
            before + after,
            before + byte + byte + after,
            before + bytes([byte[0] ^ flip]) + after,
            before + b"\x00" + after,
            before + bytes([other]) + byte + after,
            before + b"\x00" + byte + after,
            before + b"\x00" * 3 + stream[at:],
            before + stream[at + rng.randrange(1, 40) :],
        ):
            found.append((f"{seed}:{len(found)}", at, line))
    return [case for case in found if REPLAY in ("", case[0])]


@pytest.mark.parametrize("seed", range(3))
def test_g1_g2_g4_damage_at_every_byte_alters_no_frame_and_ends_at_the_next_zero(
    link: Path, seed: int
) -> None:
    rng = random.Random(100 + seed)
    sent = [
        Frame(rng.randrange(256), 1000 + i, rng.randbytes((5, 60, 280)[seed])) for i in range(5)
    ]
    ends = [sum(len(wire(f)) for f in sent[: i + 1]) for i in range(5)]
    todo = cases(b"".join(map(wire, sent[:3])), seed)
    rest = b"".join(map(wire, sent[3:]))
    said = answers(link, [decode_line(line + rest) for _, _, line in todo])
    for (case, at, line), words in zip(todo, said, strict=True):
        where = f"replay with HAR_LINK_CASE={case}"
        frames, bad = decoded(words)
        assert all(frame in sent for frame in frames), where
        hit = next(i for i, end in enumerate(ends) if at < end)
        spared = sent[:hit] + sent[4:]  # before the damage, and behind the 0x00 that follows it
        assert [frame for frame in frames if frame in spared] == spared, where
        if line.endswith(b"\x00") or line == b"":
            assert sent[3] in frames, where
        runs = [run for run in (line + rest).split(b"\x00")[:-1] if run]
        assert len(frames) + bad == len(runs), f"G5: {where}"


def test_g3_the_c_decoder_and_the_python_decoder_agree_on_noise(link: Path) -> None:
    rng = random.Random(5)
    streams = []
    for _ in range(300):
        parts = [wire(Frame(rng.randrange(256), 1, rng.randbytes(rng.randrange(520) % 513)))]
        parts += [rng.choice([b"\x00", b"\x01", b"\xff", rng.randbytes(9)]) for _ in range(40)]
        parts += [bytes(rng.choices(range(5), k=rng.randrange(80)))]
        rng.shuffle(parts)
        streams.append(b"".join(parts))
    for stream, words in zip(
        streams, answers(link, [decode_line(s) for s in streams]), strict=True
    ):
        decoder = FrameDecoder()
        frames = decoder.push(stream)
        assert decoded(words) == (frames, decoder.bad), stream.hex()


@pytest.mark.parametrize("capacity", [0, 1, 7, 8, 30, 521])
def test_g2_a_small_buffer_drops_what_does_not_fit_and_keeps_the_rest(
    link: Path, capacity: int
) -> None:
    sent = [Frame(1, i, bytes(range(1, size + 1))) for i, size in enumerate([0, 200, 1, 22, 0])]
    longest = Frame(1, 9, bytes(512))
    stream = b"".join(map(wire, [*sent, longest]))
    (words,) = answers(link, [decode_line(stream, capacity)])
    fitting = [frame for frame in [*sent, longest] if len(wire(frame)) - 1 <= capacity]
    assert decoded(words) == (fitting, 6 - len(fitting))


@pytest.mark.parametrize("size", [0, 1, 100, 247, 512])
def test_g2_encoding_into_too_small_a_buffer_is_refused_at_every_size(
    link: Path, size: int
) -> None:
    payload = bytes(1 + i % 255 for i in range(size))
    expected = encode_frame(9, 0x0101, payload).hex()
    fits = len(expected) // 2
    lines = [f"E {capacity} 9 {0x0101} {hexed(payload)}" for capacity in range(fits + 2)]
    assert answers(link, lines) == [["-"]] * fits + [[expected]] * 2


def test_g6_a_payload_of_513_bytes_is_not_encoded(link: Path) -> None:
    assert answers(link, [f"E 2000 9 1 {bytes(513).hex()}"]) == [["-"]]


def test_cobs_decodes_alike_in_place_and_refuses_bad_stuffing(link: Path) -> None:
    rng = random.Random(8)
    good = [rng.randbytes(n) + bytes(n % 3) for n in range(0, 1100, 37)]
    good += [b"x" * n for n in (253, 254, 255, 508, 509)]
    lines = [f"C {len(data)} {cobs_encode(data).hex()}" for data in good]
    assert answers(link, lines) == [[hexed(data)] for data in good]
    bad = [b"", b"\x00", b"\x03a", b"\x02\x00", b"\x01\x02", b"\xffabc", b"\x03a\x00"]
    assert answers(link, [f"C 300 {hexed(data)}" for data in bad]) == [["bad"]] * len(bad)
    lines = [f"C {len(data) - 1} {cobs_encode(data).hex()}" for data in good[1:]]
    assert answers(link, lines) == [["bad"]] * len(lines)
