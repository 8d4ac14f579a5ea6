"""The golden vectors, read once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@cache
def protocol() -> dict[str, Any]:
    return json.loads((HERE / "protocol.json").read_text(encoding="ascii"))


@cache
def storage() -> dict[str, Any]:
    return json.loads((HERE / "storage.json").read_text(encoding="ascii"))


def storage_image(case: dict[str, Any]) -> bytes:
    """The flash of one entry of storage.json's `images`: 0xFF where no slot says otherwise."""
    slot_bytes = storage()["slot_bytes"]
    image = bytearray(b"\xff" * slot_bytes * storage()["slots"])
    for slot, data in case["slots"].items():
        content = bytes.fromhex(data)
        begin = int(slot) * slot_bytes
        image[begin : begin + len(content)] = content
    return bytes(image)
