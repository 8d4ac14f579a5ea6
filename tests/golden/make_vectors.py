"""Writes protocol.json and storage.json beside itself: `python tests/golden/make_vectors.py`.

A third computation: written from docs/PROTOCOL.md and docs/STORAGE.md alone, it shares no line with
the firmware or with pipeline/protocol and pipeline/board, which are compared with its vectors. COBS
is spelled out here in the slowest and plainest way.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODEL = bytes.fromhex("0123456789abcdef")
OTHER = bytes.fromhex("fedcba9876543210")
SLOT_BYTES = 128  # one page; small, so that the vectors can be read
SLOTS = 4

Fields = list[tuple[str, object]]


def cobs(data: bytes) -> bytes:
    """Appends a 0x00, cuts behind each 0x00 and behind each 254 other bytes, counts."""
    out, group = bytearray(), bytearray()
    for at, byte in enumerate(data + b"\0"):
        if byte == 0:
            out += bytes([len(group) + 1]) + group
            group.clear()
        else:
            group.append(byte)
            if len(group) == 254:
                out += b"\xff" + group
                group.clear()
                if at == len(data) - 1:  # a full group ends the data: nothing follows it
                    break
    return bytes(out)


def raw_frame(kind: int, seq: int, payload: bytes) -> bytes:
    body = struct.pack("<BH", kind, seq) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def pattern(size: int) -> bytes:
    """`size` bytes with few 0x00."""
    return bytes(1 + i % 255 for i in range(size))


def without_zero(size: int) -> tuple[int, bytes]:
    """The first seq, and its frame, of which no byte is 0x00."""
    tried = ((seq, raw_frame(9, seq, pattern(size))) for seq in range(0x0101, 0xFFFF))
    return next((seq, raw) for seq, raw in tried if 0 not in raw)


def frames() -> list[dict[str, object]]:
    cases = [
        ("no payload", 0x0B, 0, b""),
        ("one 0x00", 0x09, 1, b"\0"),
        ("all 0x00", 0x09, 0x0100, bytes(64)),
        ("all 0xff", 0x09, 0xFFFF, b"\xff" * 64),
        ("unknown type", 0x7E, 0x1234, b"hello"),
        ("text with a newline", 0x09, 7, b"walking 0.97\r\n"),
        ("longest", 0x88, 0xABCD, bytes(i * 37 % 256 for i in range(512))),
        ("longest without 0x00", 0x88, 0xABCD, pattern(512)),
        ("longest of 0x00", 0x88, 0xABCD, bytes(512)),
    ]
    # A frame whose bytes hold no 0x00, with full groups that end just before, at and after its end.
    for size in (246, 247, 248, 501, 502):
        seq, _ = without_zero(size)
        cases.append((f"{size + 7} bytes without 0x00", 0x09, seq, pattern(size)))
    return [
        {
            "name": name,
            "type": kind,
            "seq": seq,
            "payload": payload.hex(),
            "wire": (cobs(raw_frame(kind, seq, payload)) + b"\0").hex(),
        }
        for name, kind, seq, payload in cases
    ]


def streams() -> list[dict[str, object]]:
    """Bytes on the wire, the `seq` of the frames in them, and how many runs are bad."""
    good = [cobs(raw_frame(0x0B, seq, b"")) + b"\0" for seq in range(1, 4)]
    one, two, three = good
    wrong_crc = bytearray(raw_frame(0x0B, 9, b"x"))
    wrong_crc[-1] ^= 0x80
    full_seq, full = without_zero(247)
    _, longest = without_zero(512)
    cases = [
        ("three frames", one + two + three, [1, 2, 3], 0),
        ("idle line between frames", b"\0\0" + one + b"\0\0\0" + two, [1, 2], 0),
        ("text before a frame, parted", b"walking 0.97\n\0" + one, [1], 1),
        ("text before a frame, not parted", b"walking 0.97\n" + one + two, [2], 1),
        ("a lost 0x00", one[:-1] + two + three, [3], 1),
        ("a frame cut off by a 0x00", one[:4] + b"\0" + two, [2], 1),
        ("wrong CRC", cobs(bytes(wrong_crc)) + b"\0" + two, [2], 1),
        ("shorter than any frame", cobs(b"\x0b\x01\x00\x00\x00\x00") + b"\0" + two, [2], 1),
        ("513 bytes of payload", cobs(raw_frame(9, 5, bytes(513))) + b"\0" + two, [2], 1),
        ("523 bytes without 0x00", b"\x01" * 523 + b"\0" + two, [2], 1),
        ("a longest frame with a byte behind it", cobs(longest) + b"\x01\0" + two, [2], 1),
        ("1500 bytes without 0x00", b"\xff" * 1500 + b"\0" + two, [2], 1),
        ("a group that runs past the end", b"\x05\x01\0" + two, [2], 1),
        ("an empty group behind a full one", cobs(full) + b"\x01\0" + two, [full_seq, 2], 0),
        ("an unfinished frame", one + two[:-1], [1], 0),
    ]
    return [
        {"name": name, "wire": wire.hex(), "seqs": seqs, "bad": bad}
        for name, wire, seqs, bad in cases
    ]


def pack(fields: Fields) -> bytes:
    """Little-endian. Kinds: B H I h f, `x` bytes in hex, `s` a string with its length."""
    out = b""
    for kind, value in fields:
        if kind == "s":
            data = str(value).encode()
            out += bytes([len(data)]) + data
        elif kind == "x":
            out += bytes.fromhex(str(value))
        else:
            out += struct.pack("<" + kind, value)
    return out


def messages() -> list[dict[str, object]]:
    model = MODEL.hex()
    samples = [0, 1, -1, 4096, -32768, 32767, 800, -800, 5, -6, 7, -8]
    cases: list[tuple[str, int, Fields]] = [
        ("HelloRequest", 0x01, [("B", 4), ("I", 1763709060)]),
        (
            "SamplesMessage",
            0x02,
            [("I", 4096), ("I", 81920), ("B", 1), ("B", 2), *(("h", v) for v in samples)],
        ),
        ("LabelRequest", 0x03, [("I", 0xFFFFFFFE), ("B", 3)]),
        ("SaveRequest", 0x04, []),
        ("HeadShowRequest", 0x05, []),
        ("HeadResetRequest", 0x06, []),
        ("HeadRollbackRequest", 0x07, []),
        ("HeadReadRequest", 0x08, [("I", 1016), ("H", 508)]),
        ("HeadWriteRequest", 0x09, [("I", 508), ("x", "00ff00017f80")]),
        ("HeadCommitRequest", 0x0A, [("x", model), ("I", 3408), ("I", 0xDEADBEEF)]),
        ("StatusRequest", 0x0B, []),
        ("ByeRequest", 0x0C, []),
        ("UndoRequest", 0x0D, []),
        ("NameRequest", 0x0E, [("s", "Treppe \u2193")]),
        ("SensorRequest", 0x0F, [("B", 1)]),
        ("RecentRequest", 0x11, []),
        ("LabelRecentRequest", 0x12, [("I", 70000), ("B", 3)]),
        (
            "Hello",
            0x81,
            [
                *[("B", 4), ("x", model), ("B", 0), ("B", 1), ("B", 1), ("f", 50.0)],
                *[("H", 128), ("H", 64), ("H", 96), ("B", 4), ("B", 2), ("B", 3)],
                *[("s", "walking"), ("s", "Treppe \u2191"), ("s", "lying"), ("s", "0.1.0")],
            ],
        ),
        (
            "Prediction",
            0x82,
            [
                *[("I", 127), ("I", 2540), ("B", 1), ("I", 0x12345678), ("I", 432083)],
                *[("I", 5295), ("B", 0), ("f", 0.5), ("f", 1.25)],
                *[("f", 0.25), ("f", 0.75), ("f", 0.0)],
            ],
        ),
        (
            "Learned",
            0x83,
            [
                *[("I", 127), ("B", 2), ("B", 2), ("B", 1), ("I", 9), ("f", 0.125), ("f", 0.5)],
                *[("I", 7), ("I", 48271)],
            ],
        ),
        (
            "HeadState",
            0x84,
            [
                *[("B", 1), ("B", 1), ("B", 1), ("B", 0), ("I", 17), ("I", 5)],
                *[("I", 0xCAFEF00D), ("B", 4), ("H", 96), ("B", 4)],
                *[("I", 7), ("I", 3), ("I", 6), ("I", 1), ("H", 2), ("H", 1), ("H", 6), ("H", 36)],
                *[("H", 3), ("I", 1763709000), ("I", 1763709060)],
                *[("B", 3), ("I", 2), ("I", 0), ("I", 5), ("s", "lying")],
            ],
        ),
        ("HeadData", 0x88, [("I", 0), ("x", "6000080720030000")]),
        ("HeadWritten", 0x89, [("I", 508)]),
        ("Status", 0x8B, [("I", value) for value in (1000, 500, 3, 6, 1, 2, 2048, 32768)]),
        ("ByeReply", 0x8C, []),
        ("Named", 0x8E, [("B", 6)]),
        (
            "SensorState",
            0x8F,
            [
                *[("B", 1), ("B", 4), ("B", 1), ("B", 0), ("f", 119.0), ("f", 118.75)],
                *[("f", 0.0625), ("f", -0.03125), ("f", 0.5), ("f", 33.5)],
                *[("I", 3), ("I", 70000), ("I", 12), ("I", 0xFFFFFFFF)],
            ],
        ),
        (
            "Sensed",
            0x90,
            [
                *[("I", 0xFFFFFFFE), ("I", 81920), ("I", 3), ("B", 2)],
                *(("f", v) for v in (0.0, -0.5, 1.0, 0.25, -2.5, 34.75)),
                *(("f", v) for v in (3.9375, -4.0, 0.125, -0.0625, 1.5, -34.75)),
            ],
        ),
        ("Recent", 0x91, [("I", 70000), ("I", 12), ("I", 1292), ("I", 0xFFFFFFFE)]),
        ("ErrorReply", 0xFF, [("B", 3), ("H", 258), ("B", 6), ("s", "no such window")]),
    ]
    return [
        {
            "name": name,
            "type": kind,
            "layout": "".join(form for form, _ in fields),
            "values": [value for _, value in fields],
            "payload": pack(fields).hex(),
        }
        for name, kind, fields in cases
    ]


def float32_bits(value: float) -> str:
    return struct.pack(">f", value).hex()


def samples() -> list[dict[str, object]]:
    """Wire value -> bits of the float32 that board and host compute, for both scales.

    int16 times a float32 is exact in double, so that one rounding to float32 gives the product.
    """
    gyro = struct.unpack("<f", struct.pack("<f", 1 / 800))[0]
    values = [0, 1, -1, 2, 3, 5, 7, 100, -100, 799, 800, 801, 4095, 4096, 12345, -32768, 32767]
    return [
        {"wire": v, "accel_g": float32_bits(v / 4096), "gyro_rad_s": float32_bits(v * gyro)}
        for v in values
    ]


def record(sequence: int, payload: bytes, kind: int = 1, model: bytes = MODEL, **odd: int) -> bytes:
    header = struct.pack(
        "<4sHBB8sII",
        b"HARH",
        odd.get("version", 2),
        kind,
        odd.get("byte7", 0),
        model,
        sequence,
        odd.get("length", len(payload)),
    )
    body = header + struct.pack("<I", zlib.crc32(header)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def records() -> list[dict[str, object]]:
    cases = [
        ("factory", 1, 0, b""),
        ("one word", 2, 1, b"\0\0\0\0"),
        ("fills its slot", 0xFFFFFFFF, 1, bytes(range(96))),
    ]
    return [
        {
            "name": name,
            "sequence": sequence,
            "kind": kind,
            "payload": payload.hex(),
            "bytes": record(sequence, payload, kind).hex(),
        }
        for name, sequence, kind, payload in cases
    ]


def flip(data: bytes, at: int, bit: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def images() -> list[dict[str, object]]:
    """Four slots each; what the newest and the previous record is, and where the next one goes."""
    a, b, c = (bytes([n]) * 8 for n in (0xA1, 0xB2, 0xC3))
    late = 0xFFFFFFFF
    noise = bytes((i * i * 7 + i * 31 + 11) % 256 for i in range(SLOT_BYTES))
    huge = record(9, a, length=0xFFFFFFFC)
    just_too_long = record(9, bytes(100))
    # name, slots, newest (slot, sequence) or status, previous, count, next (slot, sequence)
    cases: list[tuple[str, dict[int, bytes], object, object, int, object]] = [
        ("erased", {}, "EMPTY", None, 0, (1, 1)),
        ("all zero", dict.fromkeys(range(4), bytes(SLOT_BYTES)), "EMPTY", None, 0, (1, 1)),
        ("noise", dict.fromkeys(range(4), noise), "EMPTY", None, 0, (1, 1)),
        ("one record", {1: record(1, a)}, (1, 1), None, 1, (2, 2)),
        ("two records", {1: record(1, a), 2: record(2, b)}, (2, 2), (1, 1), 2, (3, 3)),
        (
            "gone round",
            {0: record(4, a), 1: record(5, b), 2: record(2, c), 3: record(3, c)},
            (1, 5),
            (0, 4),
            4,
            (2, 6),
        ),
        ("factory on top", {1: record(1, a), 2: record(2, b"", 0)}, (2, 2), (1, 1), 2, (3, 3)),
        ("only another model", {3: record(7, a, model=OTHER)}, "MODEL", None, 0, (0, 8)),
        (
            "another model wrote last",
            {0: record(4, a), 1: record(5, b, model=OTHER)},
            (0, 4),
            None,
            1,
            (2, 6),
        ),
        (
            "newest of ours is next in turn",
            {3: record(7, a, model=OTHER), 0: record(4, b)},
            (0, 4),
            None,
            1,
            (1, 8),
        ),
        ("length beyond the slot", {1: record(1, a), 2: just_too_long}, (1, 1), None, 1, (2, 2)),
        ("huge length", {1: record(1, a), 2: huge}, (1, 1), None, 1, (2, 2)),
        (
            "factory with a payload",
            {1: record(1, a), 2: record(2, b, 0)},
            (1, 1),
            None,
            1,
            (2, 2),
        ),
        ("learned without", {1: record(1, a), 2: record(2, b"")}, (1, 1), None, 1, (2, 2)),
        ("no whole words", {1: record(1, a), 2: record(2, b"abcdef")}, (1, 1), None, 1, (2, 2)),
        ("unknown kind", {1: record(1, a), 2: record(2, b, 2)}, (1, 1), None, 1, (2, 2)),
        ("byte 7", {1: record(1, a), 2: record(2, b, byte7=1)}, (1, 1), None, 1, (2, 2)),
        ("version 1", {1: record(1, a), 2: record(2, b, version=1)}, (1, 1), None, 1, (2, 2)),
        ("sequence 0", {1: record(1, a), 2: record(0, b)}, (1, 1), None, 1, (2, 2)),
        ("no closing CRC", {1: record(1, a), 2: record(2, b)[:-4]}, (1, 1), None, 1, (2, 2)),
        ("closing CRC", {1: record(1, a), 2: flip(record(2, b), 39)}, (1, 1), None, 1, (2, 2)),
        ("payload flipped", {1: record(1, a), 2: flip(record(2, b), 30)}, (1, 1), None, 1, (2, 2)),
        ("header flipped", {1: record(1, a), 2: flip(record(2, b), 16)}, (1, 1), None, 1, (2, 2)),
        ("equal sequences", {1: record(3, a), 3: record(3, b)}, (1, 3), None, 2, (2, 4)),
        ("sequences used up", {2: record(late, a)}, (2, late), None, 1, "STATE"),
    ]
    return [
        {
            "name": name,
            "slots": {str(slot): data.hex() for slot, data in slots.items()},
            "newest": best,
            "previous": before,
            "count": count,
            "next": after,
        }
        for name, slots, best, before, count, after in cases
    ]


def head() -> dict[str, object]:
    """F = 3 features, K = 2 of R = 4 rows shipped, one taught; cut fc with windows of 3 bytes, of
    which 5 have room and 3 are kept, the second one held back."""
    state = {
        "updates": 5,
        "exemplars": 9,
        "random": 0x12345678,
        "judged": 7,
        "shipped_right": 3,
        "learned_right": 6,
        "undone": 1,
        "since_s": 1763709000,
        "saved_s": 1763709060,
    }
    labels, names, limits = [2, 3, 2, 0], ["Treppe \u2191"], [1.5, 4.25, 2.0**20, 2.0**20]
    weights = [0.5, -0.25, 1.0, 0.0, 2.0, -3.5, 1.0, 1.5, -1.0, 0.0, 0.0, 0.0]
    parameters = [*weights, 0.125, -0.125, 0.5, 0.0]
    payload = struct.pack("<HBBI", 3, 4, 3, len(parameters))
    payload += struct.pack("<9I", *state.values()) + struct.pack("<HH", 3, 5)
    payload += struct.pack("<4I4f", *labels, *limits)
    for name in (*names, ""):
        text = name.encode()
        payload += bytes([len(text)]) + text + bytes(31 - len(text))
    payload += struct.pack("<16f", *parameters)
    seen, kept, trust = [2, 2, 1, 0], [0, 0x81, 2, 0xFF, 0xFF], [255, 17, 255, 0, 0]
    windows = [1, -2, 3, 127, -128, 0, 4, 5, 6, *[0] * 6]
    replay = struct.pack("<4I", *seen) + bytes(kept) + bytes(trust) + struct.pack("<15b", *windows)
    return {
        "features": 3,
        "rows": 4,
        "shipped": 2,
        "activities": 3,
        **state,
        "window_bytes": 3,
        "capacity": 5,
        "labels": labels,
        "limits": limits,
        "names": names,
        "parameters": parameters,
        "seen": seen,
        "replay_labels": kept,
        "replay_trust": trust,
        "replay_windows": windows,
        "payload": payload.hex(),
        "record_payload": (payload + replay).ljust(-(-len(payload + replay) // 4) * 4, b"\0").hex(),
    }


def documents() -> dict[str, dict[str, object]]:
    generator = "tests/golden/make_vectors.py"
    return {
        "protocol.json": {
            "generator": generator,
            "specification": "docs/PROTOCOL.md",
            "frames": frames(),
            "streams": streams(),
            "messages": messages(),
            "samples": samples(),
        },
        "storage.json": {
            "generator": generator,
            "specification": "docs/STORAGE.md",
            "model_id": MODEL.hex(),
            "slot_bytes": SLOT_BYTES,
            "slots": SLOTS,
            "records": records(),
            "images": images(),
            "head": head(),
        },
    }


def main(folder: Path) -> None:
    for name, document in documents().items():
        text = json.dumps(document, indent=1, ensure_ascii=True) + "\n"
        (folder / name).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
