"""Builds a small C program with the libraries under test and talks to it line by line."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[3]
FIRMWARE = ROOT / "firmware"
LIB = FIRMWARE / "lib"
SUPPORT = Path(__file__).resolve().parent
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class Harness:
    """A running program that answers each line with a line."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        complaint = self._process.communicate(timeout=30)[1]
        if kind is None:
            assert self._process.returncode == 0, complaint

    def ask(self, *words: object) -> list[str]:
        """One line, one answer, in words."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = " ".join(map(str, words))
        answer = ""
        with contextlib.suppress(BrokenPipeError):  # it died: what it said follows
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            _, complaint = self._process.communicate(timeout=30)
            raise AssertionError(f"the program died of {line[:200]}\n{complaint}")
        return answer.split()


def answers(program: Path, lines: list[str]) -> list[list[str]]:
    """All lines at once; the answers in words."""
    done = subprocess.run(
        [str(program)], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = [line.split() for line in done.stdout.splitlines()]
    assert len(found) == len(lines)
    return found
