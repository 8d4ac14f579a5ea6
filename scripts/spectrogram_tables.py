#!/usr/bin/env python3
"""Writes firmware/lib/window/har_spectrogram_tables.h: the waves of the spectrogram as C constants.

python scripts/spectrogram_tables.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.head.spectrogram import BINS, FRAME, tables

ROOT = Path(__file__).resolve().parents[1]
HEADER = ROOT / "firmware" / "lib" / "window" / "har_spectrogram_tables.h"
_HALF = FRAME // 2


def text() -> str:
    """Of the header. Only samples 1 to 16 of each wave: sample 0 is 0, the others mirror them."""
    parts = [
        f"""\
/* Waves of the spectrogram under a periodic Hann window, in 1/16384: bins 1 to {BINS - 1}, samples
 * 1 to {_HALF}. Sample 0 is 0; sample {FRAME} - n mirrors sample n, the sine with its sign turned.
 * Written by scripts/spectrogram_tables.py. Do not edit. */
#ifndef HAR_SPECTROGRAM_TABLES_H
#define HAR_SPECTROGRAM_TABLES_H

#include <stdint.h>

/* clang-format off */
"""
    ]
    for name, table in zip(("cosine", "sine"), tables(), strict=True):
        parts.append(f"static const int16_t har_{name}[{BINS - 1}][{_HALF}] = {{\n")
        for wave in table[:, 1 : _HALF + 1].tolist():
            parts.append("    {" + ", ".join(f"{value}" for value in wave) + "},\n")
        parts.append("};\n")
    parts.append("/* clang-format on */\n\n#endif\n")
    return "".join(parts)


if __name__ == "__main__":
    aside = HEADER.with_name(HEADER.name + ".part")
    aside.write_text(text())
    aside.replace(HEADER)
