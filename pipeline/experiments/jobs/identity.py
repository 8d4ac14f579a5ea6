"""What two machines must have in common before their results may share a table."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from pipeline.core.errors import InputError

_ROOT = Path(__file__).resolve().parents[3]


@lru_cache(maxsize=1)
def code_identity() -> dict[str, str]:
    """Return ``commit``, with a digest of what was changed since, and ``requirements.lock``; "none"
    where there is no git or no such file."""
    commit = _git("rev-parse", "HEAD").decode().strip()
    if commit and (edits := _git("diff", "HEAD", "--", "pipeline", "firmware")):
        commit += f"+{hashlib.sha256(edits).hexdigest()[:8]}"
    try:
        lock = hashlib.sha256((_ROOT / "requirements.lock").read_bytes()).hexdigest()
    except OSError:
        lock = ""
    return {"commit": commit or "none", "requirements.lock": lock or "none"}


def data_identity(names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each data set's content. Raises as `load_dataset`."""
    from pipeline.data import load_dataset

    return {f"data set {name}": load_dataset(name, progress=False).sha256 for name in names}


def require_identity(client: dict[str, str], worker: dict[str, str], address: str) -> None:
    """Raise InputError, one line with both, for the first thing in which the worker differs."""
    for what, expected in client.items():
        if (found := worker.get(what, "none")) != expected:
            raise InputError(
                f"worker {address} has {what} {found[:20]}, this machine {expected[:20]}; "
                "give both the same"
            )


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=_ROOT, capture_output=True, check=False, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return b""
