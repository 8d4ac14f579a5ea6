"""The rules of the house that no tool of `make lint` checks: weights, secrets, sizes, the face."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import typer.main
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "pipeline"

HEAVY = frozenset(
    {
        "ai_edge_litert",
        "dask",
        "distributed",
        "jinja2",
        "keras",
        "matplotlib",
        "optuna",
        "platformio",
        "requests",
        "scipy",
        "sqlalchemy",
        "tensorflow",
        "tensorflow_model_optimization",
        "tf_keras",
        "tflite_micro",
    }
)
# Import name -> package, where they differ.
PACKAGES = {
    "ai_edge_litert": "ai-edge-litert",
    "serial": "pyserial",
    "tensorflow": "tensorflow-cpu",
    "tensorflow_model_optimization": "tensorflow-model-optimization",
    "tf_keras": "tf-keras",
    "tflite_micro": "tflite-micro",
}
# Come with a package that is named: click with typer, flatbuffers with ai-edge-litert, markupsafe
# with jinja2, sqlalchemy with optuna, urllib3 with requests.
BROUGHT = frozenset({"click", "flatbuffers", "markupsafe", "sqlalchemy", "urllib3"})


@cache
def house_files() -> tuple[Path, ...]:
    """What is or could be committed: all files that git knows or does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = listed.stdout.decode().split("\0")
    return tuple(path for name in names if name and (path := ROOT / name).is_file())


@cache
def texts() -> dict[str, str]:
    """Name -> content of every text file of the house."""
    found = {}
    for path in house_files():
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(ROOT).as_posix()] = content.decode("utf-8", "replace")
    return found


def _lines_with(pattern: str, *, flags: int = 0) -> list[str]:
    expression = re.compile(pattern, flags)
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if expression.search(line)
    ]


# The patterns below are spelled so that they do not match themselves.


def test_no_file_names_a_registry_host() -> None:
    hosts = (
        r"pypi[.]org",
        r"pythonhosted[.]org",
        r"npmjs[.]org",
        r"(?:deb|security)[.]debian[.]org",
        r"(?:archive|ports)[.]ubuntu[.]com",
        r"registry[.]platformio[.]org",
        r"--(?:extra-)?index[-]url\s+\S*://",
    )
    assert _lines_with("|".join(hosts)) == []


def test_no_file_holds_a_secret() -> None:
    secrets = (
        r"AKIA[0-9A-Z]{16}",
        r"gh[pousr]_[A-Za-z0-9]{30}",
        r"xox[abp][-][0-9A-Za-z-]{10}",
        r"sk[-][A-Za-z0-9_-]{32}",
        r"BEGIN (?:[A-Z]+ )?PRIVATE[ ]KEY",
        r"://[^/\s:@]+:[^/\s:@]{3,}@(?!127\.0\.0\.1|localhost)",
    )
    assert _lines_with("|".join(secrets)) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert _lines_with(r"(?<![\w.}\])])/(?:root|home|Users|work)/\w") == []


def test_no_file_says_that_it_is_unfinished() -> None:
    assert _lines_with(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b") == []


def test_files_are_small() -> None:
    too_big = {
        path.relative_to(ROOT).as_posix(): path.stat().st_size
        for path in house_files()
        if path.stat().st_size > 1_000_000
    }
    assert too_big == {}


def test_the_lock_is_hashed_pinned_and_has_one_tensorflow() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", lock, flags=re.MULTILINE)
    entries = [line for line in lock.splitlines() if line and line[0] not in " #"]
    assert len(entries) == len(pins) > 50
    assert lock.count("--hash=sha256:") >= len(pins)
    names = {name for name, _ in pins}
    assert "tensorflow" not in names
    assert {"tensorflow-cpu", "tf-keras", "setuptools", "clang-format"} <= names


def test_the_lock_holds_what_is_asked_for() -> None:
    locked = dict(
        re.findall(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", _read("requirements.lock"), flags=re.MULTILINE)
    )
    for name, version in _asked_for():
        assert name in locked, f"{name}: run scripts/lock.sh"
        assert version in ("", locked[name]), f"{name}: run scripts/lock.sh"


def test_every_import_is_of_a_package_that_is_asked_for() -> None:
    allowed = {name.replace("-", "_") for name, _ in _asked_for()} | BROUGHT
    strangers = set()
    for name, text in texts().items():
        if not name.startswith(("pipeline/", "tests/")) or not name.endswith(".py"):
            continue
        for imported in _imports_of(ast.parse(text)):
            top = imported.split(".")[0]
            package = PACKAGES.get(top, top).replace("-", "_")
            if (
                top not in sys.stdlib_module_names | {"pipeline", "scripts", "tests"}
                and package not in allowed
            ):
                strangers.add(f"{name}: {top}")
    assert strangers == set()


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _asked_for() -> list[tuple[str, str]]:
    """(package, pinned version or "") of both lists, for Linux on x86-64."""
    found = []
    for name in ("requirements.in", "requirements-dev.in"):
        for line in _read(name).splitlines():
            requirement, _, marker = line.partition(";")
            if requirement and not requirement.startswith("#") and "!=" not in marker:
                package, _, version = requirement.strip().partition("==")
                found.append((package, version))
    return found


def _imports_of(tree: ast.AST) -> Iterator[str]:
    """Absolute names that a module imports, lazy ones too; each from-name in full.

    What stands under TYPE_CHECKING is no arrow: it is not there when the program runs.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield from _imports_of(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# ---- the face ------------------------------------------------------------------------------------


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_har_help_imports_nothing_heavy() -> None:
    answer = _python("-X", "importtime", "-m", "pipeline.cli.main", "--help")
    imported = {
        line.rpartition("|")[2].strip().split(".")[0]
        for line in answer.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "typer" in imported
    assert not imported & HEAVY
    assert "Usage" in answer.stdout


def test_no_package_face_imports_anything_heavy() -> None:
    faces = sorted(path.parent.name for path in PIPELINE.glob("*/__init__.py"))
    lines = [f"import pipeline.{face}" for face in faces]
    lines += ["import sys", "print(*{name.partition('.')[0] for name in sys.modules})"]
    assert not set(_python("-c", "\n".join(lines)).stdout.split()) & HEAVY


def _verbs(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _verbs(child, (*path, name))


def test_every_verb_explains_itself() -> None:
    from pipeline.cli.main import app

    runner = CliRunner()
    for path in _verbs(typer.main.get_command(app)):
        answer = runner.invoke(app, [*path, "--help"])
        assert answer.exit_code == 0, f"har {' '.join(path)} --help: {answer.output}"
        assert "Usage" in answer.output
        described = [line for line in answer.output.splitlines() if line.strip()][1:2]
        assert described, f"har {' '.join(path)} does not say what it does"


def test_a_wrong_verb_is_bad_usage() -> None:
    from pipeline.cli.main import app

    assert CliRunner().invoke(app, ["no-such-verb"]).exit_code == 2


# ---- make ----------------------------------------------------------------------------------------


def _targets() -> dict[str, str]:
    return dict(re.findall(r"^([a-z-]+):.*?## (.+)$", _read("Makefile"), flags=re.MULTILINE))


def test_make_help_lists_every_target_with_its_own_comment() -> None:
    answer = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    declared = re.search(r"^\.PHONY: (.+)$", _read("Makefile"), flags=re.MULTILINE)
    assert declared
    assert set(declared[1].split()) == set(_targets())
    for name, comment in _targets().items():
        assert re.search(rf"make {name} +{re.escape(comment)}", answer.stdout)


def test_make_calls_only_verbs_that_exist() -> None:
    from pipeline.cli.main import app

    called = set(re.findall(r"\$\(HAR\) ([a-z]+)", _read("Makefile")))
    assert called <= set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_scripts_are_sound_bash() -> None:
    scripts = [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]
    for script in scripts:
        subprocess.run(["bash", "-n", str(script)], check=True, timeout=30)
        if script.name != "common.sh":
            assert os.access(script, os.X_OK), script
            assert "set -euo pipefail" in script.read_text()


def test_the_templates_travel_with_the_package() -> None:
    shipped = tomllib.loads(_read("pyproject.toml"))["tool"]["setuptools"]["package-data"]
    templates = list(PIPELINE.rglob("*.j2"))
    assert templates
    assert all(path.match(shipped["*"][0]) for path in templates)
    assert all((path.parent / "__init__.py").is_file() for path in templates)
