"""What results depend on: sources by their SHA-256, so that a kept result is reused only while what
made it is unchanged, and the versions of packages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

_PACKAGES = ("tensorflow-cpu", "tflite-micro", "ai-edge-litert", "numpy")


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


def versions(*more: str) -> dict[str, str]:
    """Of Python and the packages that a figure depends on: those of every figure, and ``more``."""
    from importlib.metadata import PackageNotFoundError, version
    from platform import python_version

    found = {"python": python_version()}
    for package in (*_PACKAGES, *more):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
