"""What builds the real board, as far as it can be checked without its tools: platformio.ini and the
workflow that builds both of its environments where their registry can be reached."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from platformio import fs
from platformio.project.config import ProjectConfig

from scripts.check_image import FLASH_START

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
ENVIRONMENTS = ("nano33ble", "nano33ble_compiled")
SOURCE = ["c", "cpp", "cc", "cxx", "c++", "S", "s"]
# What `har emit` writes.
EMITTED = {
    *("har_model.c", "har_model.h", "har_net.c", "har_net.h"),
    *("har_extractor_tflite.c", "har_extractor_tflite.h"),
}
# Folders that are for the board; firmware/boards has others, and firmware/tools is for none.
OURS = ("src", "lib", "boards/nano33ble")
ENGINES = {
    "nano33ble": {"lib/engine/har_engine_tflm.cpp", "generated/har_extractor_tflite.c"},
    "nano33ble_compiled": {
        "lib/engine/har_engine_compiled.c",
        "generated/har_net.c",
        *(f"lib/nn/{path.name}" for path in (FIRMWARE / "lib" / "nn").glob("*.[cS]")),
    },
}


@pytest.fixture(scope="module")
def config() -> Any:
    return ProjectConfig(str(ROOT / "platformio.ini"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware's files by name, with what `har emit` would add, whether or not it ran."""
    folder = tmp_path_factory.mktemp("platformio") / "firmware"
    ignore = shutil.ignore_patterns("generated", ".*", "*.md")
    shutil.copytree(FIRMWARE, folder, ignore=ignore)
    (folder / "generated").mkdir()
    for name in EMITTED:
        (folder / "generated" / name).touch()
    return folder


def built(config: Any, tree: Path, environment: str) -> set[str]:
    """What PlatformIO compiles in this environment, relative to the firmware's folder."""
    chosen = config.get(f"env:{environment}", "build_src_filter")
    return {Path(name).as_posix() for name in fs.match_src_files(str(tree), chosen, SOURCE)}


def of_the_board(tree: Path) -> set[str]:
    """Every source that some environment has to compile."""
    extensions = {f".{each}" for each in SOURCE}
    return {
        path.relative_to(tree).as_posix()
        for folder in (*OURS, "generated")
        for path in (tree / folder).rglob("*")
        if path.suffix in extensions
    }


def test_platformio_finds_nothing_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "platformio", "project", "config", "--lint"],
        cwd=ROOT,
        env=os.environ
        | {
            "PLATFORMIO_CORE_DIR": str(tmp_path),
            "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No",
            "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "free from linting errors" in done.stdout


def test_the_environments_are_those_that_flash_knows(config: Any) -> None:
    assert tuple(config.envs()) == ENVIRONMENTS
    assert config.get("platformio", "default_envs") == ["nano33ble"]


def test_both_environments_together_compile_every_source(config: Any, tree: Path) -> None:
    everything = of_the_board(tree)
    assert len(everything) > 40
    assert set().union(*(built(config, tree, each) for each in ENVIRONMENTS)) == everything


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_compiles_all_but_the_other_engine(
    config: Any, tree: Path, environment: str
) -> None:
    (other,) = set(ENVIRONMENTS) - {environment}
    assert built(config, tree, environment) == of_the_board(tree) - ENGINES[other]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_new_file_of_the_library_or_of_the_board_is_compiled(
    config: Any, tree: Path, environment: str, tmp_path: Path
) -> None:
    grown = shutil.copytree(tree, tmp_path / "firmware")
    new = {"lib/app/new.c", "lib/new/new.c", "boards/nano33ble/new.cpp", "src/new.cpp"}
    for name in (*new, "boards/new/new.c", "boards/played/new.c", "tools/new.c"):
        (grown / name).parent.mkdir(exist_ok=True)
        (grown / name).touch()
    before = built(config, tree, environment)
    assert built(config, grown, environment) - before == new


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_path_and_filter_names_something_that_is_there(
    config: Any, tree: Path, environment: str
) -> None:
    section = f"env:{environment}"
    for pattern in re.findall(r"<([^>]+)>", " ".join(config.get(section, "build_src_filter"))):
        assert (tree / pattern).exists(), pattern
    for flag in config.get(section, "build_flags"):
        if flag.startswith("-I"):
            assert (ROOT / flag.removeprefix("-I")).is_dir(), flag
    (script,) = config.get(section, "extra_scripts")
    assert (ROOT / script.removeprefix("post:")).is_file()
    assert Path(config.get("platformio", "src_dir")).resolve() == FIRMWARE


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_header_of_ours_is_found_where_the_flags_point(
    config: Any, tree: Path, environment: str
) -> None:
    flags = config.get(f"env:{environment}", "build_flags")
    folders = [
        tree.parent / flag.removeprefix("-I") for flag in flags if flag.startswith("-Ifirmware")
    ]
    waiting = {tree / name for name in built(config, tree, environment)}
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
            found = [each / name for each in (path.parent, *folders) if (each / name).is_file()]
            outside = name.startswith("tensorflow/")
            assert found or outside, f"{path.relative_to(tree)} includes {name}"
            waiting |= set(found[:1]) - seen
    assert {path.parent.name for path in seen} >= {"app", "base", "hal", "head", "link", "store"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_learning_uses_the_fpu_and_warnings_are_errors_in_our_code_only(
    config: Any, environment: str
) -> None:
    section = f"env:{environment}"
    flags = config.get(section, "build_flags")
    assert config.get(section, "build_unflags") == ["-mfloat-abi=soft"]
    assert {"-mfloat-abi=softfp", "-ffp-contract=off"} <= set(flags)
    assert "-Werror" not in " ".join(flags)
    assert "-Werror" in " ".join(config.get(section, "build_src_flags"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_platform_and_libraries_are_pinned_and_the_heads_pages_kept(
    config: Any, environment: str
) -> None:
    section = f"env:{environment}"
    for each in (config.get(section, "platform"), *config.get(section, "lib_deps")):
        assert re.search(r"@\d+\.\d+\.\d+$", each), each
    flash = int(config.get(section, "board_upload.maximum_size"))
    assert flash == 0x100000 - 16 * 4096 - FLASH_START
    tflm = [each for each in config.get(section, "lib_deps") if "TensorFLowLite" in each]
    assert bool(tflm) is (environment == "nano33ble")


# ---- the workflow ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    document = yaml.safe_load(WORKFLOW.read_text())
    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request"} <= set(document[True])
    assert document["permissions"] == {"contents": "read"}
    jobs: dict[str, Any] = document["jobs"]
    return jobs


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_workflow_runs_everything_that_must_hold(jobs: dict[str, Any]) -> None:
    assert commands(jobs["test"]) == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_workflow_builds_both_environments_from_a_model_made_there(
    jobs: dict[str, Any],
) -> None:
    board = jobs["board"]
    assert tuple(board["strategy"]["matrix"]["environment"]) == ENVIRONMENTS
    made, image = commands(board)
    assert made == "make train quantize"
    assert image == ".venv/bin/pio run --environment ${{ matrix.environment }}"
    (cache,) = (step for step in board["steps"] if "cache@" in step.get("uses", ""))
    assert cache["with"]["path"] == "~/.platformio"


def test_the_workflow_pins_what_it_uses_and_uploads_nothing(jobs: dict[str, Any]) -> None:
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert len(used) == 7
    for each in used:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", each), each
        assert "upload" not in each
    for name, job in jobs.items():
        assert job["runs-on"] == ("macos-latest" if name == "macos" else "ubuntu-latest")
        (python,) = (step for step in job["steps"] if "setup-python" in step.get("uses", ""))
        wanted = "${{ matrix.python }}" if name == "test" else "3.11"
        assert python["with"]["python-version"] == wanted
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
