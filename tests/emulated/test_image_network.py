"""An image network on both boards: recorded windows become pictures, features and probabilities,
all to the bit as TFLite-Micro's interpreter and NumPy have them; and it learns as they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bundle import emit, load_bundle
from pipeline.bundle.bundle import Bundle
from pipeline.demo.board import BoardSession
from pipeline.sim.build import FirmwareImage, build_firmware
from pipeline.sim.emulator import TARGETS, Target, launch
from pipeline.training.task import Task
from tests.support.image_bundle import write_image_bundle
from tests.support.synthetic import synthetic_task

pytestmark = [pytest.mark.emulated, pytest.mark.slow("two networks on both targets")]

PLANES = (3, 1)


@pytest.fixture(scope="module")
def task() -> Task:
    return synthetic_task(people=4, seconds=12)


@pytest.fixture(scope="module", params=PLANES, ids=lambda planes: f"{planes}planes")
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image") / "bundle"
    write_image_bundle(folder, pixels=32 if request.param == 3 else 48, planes=request.param)
    return folder


@pytest.fixture(scope="module", params=TARGETS)
def image(
    request: pytest.FixtureRequest, bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> FirmwareImage:
    target: Target = request.param
    folder = tmp_path_factory.mktemp(target)
    emit(load_bundle(bundle), folder / "generated")
    return build_firmware(target, folder / "generated", folder / "build")


def test_streamed_and_taught_windows_equal_the_twin(
    image: FirmwareImage, bundle: Path, task: Task, tmp_path: Path
) -> None:
    sealed: Bundle = load_bundle(bundle)
    windows = task.windows
    people = windows.subjects == task.split.test[0]
    with launch(image.target, image.path, tmp_path / "flash.img") as board:
        session = BoardSession(board.port, sealed, sealed.new_twin(), task, lambda *_: None)
        try:
            before = session.classify(people.nonzero()[0])
            taught = session.teach((~people).nonzero()[0][::20])
            after = session.classify(people.nonzero()[0])
        finally:
            session.close()
    for answers in (before, after):
        assert answers.compared == people.sum() > 20
        assert answers.mismatches == 0
    assert taught.compared > 4 and taught.mismatches == 0
    assert len(set(before.activities)) > 1, "a net with one answer proves little"
    if image.target == "mps2":
        assert before.inference_count > sealed.macs > 0
