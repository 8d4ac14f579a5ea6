"""One's own recordings beside a data set: they train, and nobody else's figures move."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.bundle import load_bundle
from pipeline.cli.main import app
from pipeline.core.errors import InputError
from pipeline.data import WindowShape, import_dataset
from pipeline.data.mixed import OWN_PEOPLE
from pipeline.models import load_weights
from pipeline.training import Pretrained, load_trained
from pipeline.training import task as tasks
from pipeline.training.pretrained import save_pretrained
from pipeline.training.task import Task, add_recordings, load_named_task, make_task

RATE_HZ = 119.0
HEADER = "time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity"
ME = f"{OWN_PEOPLE}/me"


def write(path: Path, activity: str, hz: float, *, seconds: float = 12.0, value: str = "") -> None:
    """A swing of ``hz`` about y, at a board's rate; ``value`` stands in for one of the samples."""
    rng = np.random.default_rng(int(hz * 10))
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    samples = rng.normal(0, 0.02, (len(time_s), 6))
    samples[:, 0] += 1.0
    samples[:, 2] += 0.3 * np.sin(2 * np.pi * hz * time_s)
    samples[:, 4] += 1.5 * np.cos(2 * np.pi * hz * time_s)
    lines = [f"# rate_hz: {RATE_HZ:g}", "# subject: me", f"# session: {path.stem}", HEADER]
    for t, row in zip(time_s, samples, strict=True):
        cells = [f"{v:.5f}" for v in row]
        if value and t == time_s[100]:
            cells[2] = value
        lines.append(f"{t:.5f},{','.join(cells)},{activity}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A known activity and a new one."""
    write(tmp_path / "recordings" / "walk.csv", "walking", 1.8)
    write(tmp_path / "recordings" / "rowing.csv", "rowing", 0.5, seconds=20.0)
    return tmp_path / "recordings"


@pytest.fixture
def known(task: Task, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The synthetic task under a name that cards can tell."""
    monkeypatch.setattr(tasks, "load_dataset", lambda *_, **__: task.dataset)
    monkeypatch.setattr(tasks, "split_subjects", lambda *_, **__: task.split)
    monkeypatch.setattr(tasks, "find_split", lambda *_: ("official", 0))
    return task


def test_own_recordings_train_and_nobody_who_judges_changes(task: Task, folder: Path) -> None:
    mine = add_recordings(task, folder)
    assert set(mine.split.train) == {*task.split.train, ME}
    for side in ("pretrain", "validation", "test"):
        people = getattr(task.split, side)
        assert getattr(mine.split, side) == people
        before, now = task.windows.for_subjects(people), mine.windows.for_subjects(people)
        assert before.x.tobytes() == now.x.tobytes()
        assert before.y.tolist() == now.y.tolist()


def test_equal_names_meet_and_a_new_one_comes_behind(task: Task, folder: Path) -> None:
    mine = add_recordings(task, folder)
    assert mine.windows.activities == (*task.windows.activities, "rowing")
    own = mine.windows.for_subjects([ME])
    # 12 and 20 s at 50 Hz: 1 + (n - 128) // 64 windows.
    assert mine.own is not None and mine.own.new == ["rowing"]
    assert mine.own.windows == {"walking": 8, "rowing": 14}
    assert np.bincount(own.y).tolist() == [8, 0, 0, 14]


def test_another_rate_is_brought_to_the_data_set_s(task: Task, folder: Path) -> None:
    mine = add_recordings(task, folder)
    assert {recording.rate_hz for recording in mine.dataset.recordings} == {50.0}
    rowing = mine.windows.for_subjects([ME])
    swing = rowing.x[rowing.y == 3, :, 4].reshape(14, 128)
    turns = (np.diff(np.sign(swing[:, ::8]), axis=1) != 0).sum(axis=1)
    assert set(turns.tolist()) <= {2, 3}  # 0.5 Hz changes its sign every second, and 2.56 s it is


@pytest.mark.parametrize("activity", ["walking", "rowing"])
def test_a_single_activity_will_do(task: Task, tmp_path: Path, activity: str) -> None:
    write(tmp_path / "one.csv", activity, 1.0)
    for path in (tmp_path, tmp_path / "one.csv"):
        mine = add_recordings(task, path)
        assert mine.own is not None and mine.own.windows == {activity: 8}


def test_what_cannot_be_learned_from_is_refused_in_one_line(task: Task, tmp_path: Path) -> None:
    cases = {
        "absent": "no such file or folder",
        "empty": "no recording in it; `har record --activity NAME` makes some",
        "unlabelled": "nothing in it is labelled|nothing in it has a label",
        "short": "rowing is nowhere 2.56 s long without a gap.*record longer",
        "nan": r"a\.csv, line 105, column az_g: nan is no usable number",
        "words": r"a\.csv, line 105, column az_g: 'left' is not a number",
        "garbage": "the header is 'garbage'",
    }
    for name in cases.keys() - {"absent"}:
        (tmp_path / name).mkdir()
    (tmp_path / "empty" / ".gitkeep").touch()
    write(tmp_path / "unlabelled" / "a.csv", "", 1.0)
    write(tmp_path / "short" / "a.csv", "rowing", 1.0, seconds=2.0)
    write(tmp_path / "nan" / "a.csv", "rowing", 1.0, value="nan")
    write(tmp_path / "words" / "a.csv", "rowing", 1.0, value="left")
    (tmp_path / "garbage" / "a.csv").write_text("garbage\n")
    for name, pattern in cases.items():
        with pytest.raises(InputError, match=pattern) as refused:
            add_recordings(task, tmp_path / name)
        assert str(refused.value).startswith(str(tmp_path / name))
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("spelling", ["Walking", "walk", "WALK"])
def test_another_spelling_of_a_class_is_refused_with_both(
    task: Task, tmp_path: Path, spelling: str
) -> None:
    write(tmp_path / "a.csv", spelling, 1.8)
    with pytest.raises(InputError, match=f"activity '{spelling}' and 'walking' are one"):
        add_recordings(task, tmp_path)


def test_every_file_says_what_it_gave_and_what_is_in_no_window(task: Task, folder: Path) -> None:
    lines = (folder / "walk.csv").read_text().splitlines()
    unlabelled = [line.replace(",walking", ",") for line in lines[-119:]]
    (folder / "walk.csv").write_text("\n".join([*lines[:-119], *unlabelled]) + "\n")
    own = add_recordings(task, folder).own
    assert own is not None
    rowing, walk = own.files
    assert (rowing.file, rowing.subjects, rowing.rate_hz) == ("rowing.csv", ["me"], RATE_HZ)
    # 20 s at 50 Hz are 14 windows over 19.2 s; 12 s, the last one unlabelled, 7 over 10.24 s.
    assert (rowing.windows, rowing.unlabelled_s, rowing.short_s) == (14, 0.0, 0.8)
    assert (walk.windows, walk.unlabelled_s, walk.short_s) == (7, 1.0, 0.8)
    assert (rowing.minutes, walk.minutes) == (0.33, 0.2)


def test_what_is_worn_upside_down_or_has_the_signs_of_ios_is_warned_of(
    task: Task, folder: Path
) -> None:
    assert not any("other way" in note for note in add_recordings(task, folder).dataset.notes)
    path = folder / "walk.csv"
    head, *rows = path.read_text().split(HEADER)
    turned = []
    for row in rows[0].strip().splitlines():
        cells = row.split(",")
        turned.append(",".join([cells[0], *(str(-float(c)) for c in cells[1:4]), *cells[4:]]))
    path.write_text(head + "\n".join([HEADER, *turned]) + "\n")
    notes = add_recordings(task, folder).dataset.notes
    assert any("me: gravity points the other way" in note and "iOS" in note for note in notes)


def test_an_import_is_taken_by_its_name(
    known: Task, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    import_dataset("csv", folder, name="mine")
    mine = add_recordings(known, Path("mine"))
    assert mine.own is not None and mine.own.path == "mine"
    assert mine.own.windows == {"walking": 8, "rowing": 14}
    assert load_named_task("synthetic", "official", 0, own=mine.own).own == mine.own


def test_somebody_who_is_in_an_import_already_is_refused(
    task: Task, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "identities", lambda *_: frozenset({ME}))
    with pytest.raises(InputError, match="would train and test at once"):
        add_recordings(task, folder)


def test_the_same_recordings_are_found_again_and_others_refused(known: Task, folder: Path) -> None:
    own = add_recordings(known, folder).own
    again = load_named_task("synthetic", "official", 0, own=own)
    assert again.own == own and ME in again.split.train
    remedy = f"run `har train --data {folder}` again"
    rowing = folder / "rowing.csv"
    lines = rowing.read_text()
    rowing.write_text(lines.replace(",rowing", ",rowing-hard"))
    with pytest.raises(InputError, match=f"changed since the model learned them; {remedy}"):
        load_named_task("synthetic", "official", 0, own=own)
    rowing.write_text(lines)
    write(folder / "more.csv", "rowing", 0.7)
    with pytest.raises(InputError, match="changed since"):
        load_named_task("synthetic", "official", 0, own=own)
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(InputError, match=f"are gone; {remedy}"):
        load_named_task("synthetic", "official", 0, own=own)


@pytest.mark.slow("trains and quantizes")
def test_a_class_that_no_judge_shows_goes_from_training_to_the_bundle(
    known: Task, pretrained: Pretrained, folder: Path, tmp_path: Path
) -> None:
    card = pretrained.card.model_dump(exclude={"weights_sha256"})
    save_pretrained(tmp_path / "net.npz", pretrained.model(), card)
    model, output, not_judged = tmp_path / "train", tmp_path / "bundle", "only in your recordings"
    runner = CliRunner()
    arguments = ["train", "--dataset", "synthetic", "--data", str(folder), "--output", str(model)]
    done = runner.invoke(app, [*arguments, "--pretrained", str(tmp_path / "net.npz")])
    assert done.exit_code == 0, done.output
    assert f"windows of {folder}: walking 8, rowing 14\n" in done.stdout
    assert f"rowing: {not_judged}, not judged\n" in done.stdout

    arguments = ["quantize", "--model", str(model), "--output", str(output)]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert f"rowing: {not_judged}, not judged\n" in done.stdout

    bundle = load_bundle(output)
    assert bundle.activities == [*known.windows.activities, "rowing"]
    assert bundle.metrics.test_windows == len(known.windows.for_subjects(known.split.test))
    assert bundle.metrics.int8_accuracy > 0.9 and bundle.metrics.int8_macro_f1 > 0.9
    assert set(bundle.metrics.subject_accuracy) == set(known.split.test)
    assert ME in bundle.provenance.train_subjects
    weights = load_weights(output / "head.npz")
    assert np.bincount(weights["exemplar_activities"]).tolist() == [4, 4, 4, 4]
    assert np.isfinite(weights["novelty_inverse_std"]).all()
    own = add_recordings(known, folder).windows.for_subjects([ME])
    trained = load_trained(model)
    assert trained.card.own == add_recordings(known, folder).own
    logits = trained.model.predict(trained.network_input(own.x[own.y == 3]), verbose=0)
    assert (logits.argmax(axis=1) == 3).all()

    (folder / "walk.csv").unlink()
    done = runner.invoke(app, arguments)
    assert done.exit_code == 2
    assert "changed since the model learned them" in done.output
    assert load_bundle(output).model_id == bundle.model_id


def test_a_task_of_another_shape_is_cut_at_its_rate(task: Task, folder: Path) -> None:
    shape = WindowShape(25.0, 64, 32)
    half = make_task(task.dataset, task.split, shape)
    assert half.windows.x.shape == (len(task.windows), 64, 6)
    assert half.windows.y.tolist() == task.windows.y.tolist()
    own = add_recordings(half, folder).own
    assert own is not None and own.windows == {"walking": 8, "rowing": 14}
    assert half.without_test().shape == half.thinned(None).shape == shape


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("count", "words"), [(40, "activities: give 2 to 32"), (28, "must fit in 440 bytes together")]
)
def test_what_no_board_can_say_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, words: str
) -> None:
    """It was refused by `har quantize`, after training."""
    for number in range(count):
        write(tmp_path / "in" / f"{number}.csv", f"activity number {number}", 1.8, seconds=3)
    monkeypatch.setattr(sys.modules["pipeline.training.train"], "train", pytest.fail)
    done = CliRunner().invoke(
        app,
        [
            "train",
            "--dataset",
            "hapt",
            "--data",
            str(tmp_path / "in"),
            "--output",
            str(tmp_path / "out"),
        ],
    )
    assert done.exit_code == 2 and words in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("known")
def test_strict_refuses_what_gives_a_warning_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.csv", "walking", 1.8)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*lines[:400], *lines[420:]]) + "\n")
    monkeypatch.setattr(sys.modules["pipeline.training.train"], "train", pytest.fail)
    arguments = [
        "train",
        "--dataset",
        "hapt",
        "--data",
        str(tmp_path / "a.csv"),
        "--output",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, [*arguments, "--strict"])
    assert done.exit_code == 2 and "--strict" in done.output
    assert "1 gaps in time" in done.output and not (tmp_path / "out").exists()
