"""`har` in this process: what a new interpreter would answer, without its seconds of importing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from pipeline.cli.main import app


def har(*arguments: object, cwd: Path) -> Result:
    """Exit code, stdout and stderr of one command. An exception that no command may let out, the
    traceback of a real process, is raised."""
    with contextlib.chdir(cwd):
        return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def har_json(*arguments: object, cwd: Path) -> Any:
    """The JSON document of a command that must end well."""
    result = har(*arguments, "--json", cwd=cwd)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
