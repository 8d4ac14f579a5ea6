"""SHA-256 over source files: kept results are reused only while what made them is unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path


def sources_digest(root: Path, patterns: Sequence[str]) -> str:
    """Hash the files below ``root`` that match any of ``patterns``, with their names, in order.

    Raises:
        FileNotFoundError: a pattern matches nothing: the sources moved, and without them a kept
            result would never be made again.
    """
    digest = hashlib.sha256()
    for pattern in patterns:
        found = sorted(path for path in root.glob(pattern) if path.is_file())
        if not found:
            raise FileNotFoundError(f"{root / pattern}: no such source")
        for path in found:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()
