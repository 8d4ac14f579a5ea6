"""Two `har quantize` into one folder shared OUTPUT.part and removed each other's files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.bundle import load_bundle

_QUANTIZE = """\
import sys
from pathlib import Path
from tests.support.synthetic import synthetic_task
from pipeline.cli.common import prepare_output
from pipeline.bundle.quantize import quantize
from pipeline.training import load_trained
prepare_output()
task = synthetic_task()
quantize(
    load_trained(Path(sys.argv[1])), task, Path(sys.argv[2]), spare=int(sys.argv[3]),
)
"""


@pytest.mark.slow("two processes with a TensorFlow of their own quantize one after the other")
def test_they_take_turns_and_each_bundle_is_whole(trained: object, tmp_path: Path) -> None:
    from pipeline.training import TrainedModel
    from pipeline.training.train import save_trained

    assert isinstance(trained, TrainedModel)
    save_trained(trained, tmp_path / "train")
    output = tmp_path / "bundle"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _QUANTIZE, str(tmp_path / "train"), str(output), spare],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"},
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for spare in ("1", "2")
    ]
    errors = [process.communicate(timeout=500)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert load_bundle(output).rows in (4, 5)
    assert sum("another run is writing it; waiting" in error for error in errors) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "train"]
