"""The report of `har fxcy`: the knee, the closing paragraph, tables, pictures and the page."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pipeline.experiments.fxcy.closing import closing
from pipeline.experiments.fxcy.format import (
    beside,
    case_label,
    comparisons,
    joules,
    knee,
    memory,
    signed,
    times,
)
from pipeline.experiments.fxcy.picture import _apart, bars_picture
from pipeline.experiments.fxcy.report import (
    beside_published,
    fxcy_document,
    fxcy_page,
    write_fxcy_report,
)
from pipeline.experiments.fxcy.schema import FxcyReport, FxcyRow
from pipeline.experiments.fxcy.tables import fxcy_csv, fxcy_tables
from tests.unit.experiments.fxcy.report_samples import row, sample

CASES = ("last_dense", "fc", "fxc1", "fxc2", "fxc10", "whole", "scratch")


def _chain(*accuracies: float, **changes: Any) -> list[FxcyRow]:
    """fc, fxc1, fxc2, ... of these accuracies."""
    names = ["fc", *(f"fxc{y}" for y in range(1, len(accuracies)))]
    return [row(*each, **changes) for each in zip(names, accuracies, strict=True)]


def _report(*rows: FxcyRow, **changes: Any) -> FxcyReport:
    return _sample().model_copy(
        update={"rows": list(rows), "device_rows": [], "notes": [], **changes}
    )


@cache
def _sample() -> FxcyReport:
    return sample()


def _printed(report: FxcyReport, width: int) -> str:
    written = io.StringIO()
    console = Console(file=written, width=width)
    for each in fxcy_tables(report):
        console.print(each)
    return written.getvalue()


# The knee


def test_the_knee_of_ever_rising_accuracy_is_the_deepest_case() -> None:
    assert knee(_chain(0.5, 0.6, 0.7, 0.8)) == "fxc3"
    assert knee([*_chain(0.5, 0.6), row("whole", 0.7)]) == "whole"


def test_the_knee_of_a_flat_line_is_fc() -> None:
    assert knee(_chain(0.8, 0.8, 0.8)) == "fc"
    assert knee(_chain(0.798, 0.8, 0.802)) == "fc"


def test_the_knee_is_before_what_half_a_point_more_would_buy() -> None:
    assert knee(_chain(0.6, 0.75, 0.795, 0.8)) == "fxc2"
    assert knee(_chain(0.6, 0.75, 0.7949, 0.8)) == "fxc3"


def test_noise_over_seeds_moves_the_knee_forward() -> None:
    accuracies = (0.6, 0.77, 0.79, 0.8)
    assert knee(_chain(*accuracies, sd=0.0)) == "fxc3"
    # One standard error is 0.03 / sqrt(3) = 0.0173.
    assert knee(_chain(*accuracies, sd=0.03)) == "fxc2"
    assert knee(_chain(*accuracies, sd=0.06)) == "fxc1"
    assert knee(_chain(*accuracies, sd=0.06, seeds=list(range(36)))) == "fxc2"


def test_a_dent_does_not_make_a_knee() -> None:
    assert knee(_chain(0.6, 0.8, 0.7, 0.801)) == "fxc1"
    assert knee(_chain(0.9, 0.6, 0.7)) == "fc"


def test_one_case_is_its_own_knee_and_none_has_none() -> None:
    assert knee([row("fxc2", 0.4)]) == "fxc2"
    assert knee([row("whole", 0.4)]) == "whole"
    assert knee([]) is None
    assert knee([row("scratch", 0.9), row("last_dense", 0.9)]) is None


def test_scratch_and_last_dense_are_no_part_of_the_chain() -> None:
    rows = _chain(0.6, 0.8)
    assert knee([row("scratch", 0.99), *rows, row("last_dense", 0.99)]) == "fxc1"


def test_the_order_of_rows_does_not_matter_and_ten_comes_after_two() -> None:
    rows = [row("fxc10", 0.7), row("fc", 0.5), row("fxc2", 0.699)]
    assert knee(rows) == knee(rows[::-1]) == "fxc2"
    (one,) = comparisons([row(case) for case in reversed(CASES)])
    assert tuple(each.case for each in one.rows) == CASES


# The closing paragraph


def _share() -> st.SearchStrategy[float]:
    return st.sampled_from((0.0, 0.5, 0.504, 0.51, 0.7, 1.0)) | st.floats(0, 1)


@st.composite
def reports(draw: st.DrawFn) -> FxcyReport:
    """Any cases of up to three comparisons, with any numbers."""
    saving = st.none() | st.sampled_from((0.0, 50.0, -50.0, 0.2)) | st.floats(-1e4, 99)
    energy = st.sampled_from((0.0, 93.1, 31097.5)) | st.floats(0, 1e12)
    keys = st.tuples(
        st.sampled_from(("hapt", "watch")), st.sampled_from(("watch", "mnist")), st.just("dscnn")
    )
    rows = []
    for source, target, backbone in draw(st.lists(keys, max_size=3, unique=True)):
        for case in draw(st.lists(st.sampled_from(CASES), max_size=7, unique=True)):
            seeds = draw(st.integers(1, 4))
            rows.append(
                row(
                    case,
                    draw(_share()),
                    source=source,
                    target=target,
                    backbone=backbone,
                    seeds=list(range(seeds)),
                    sd=draw(st.sampled_from((0.0, 0.01, 0.3))) if seeds > 1 else None,
                    energy_nj=draw(energy),
                    training_energy_nj=draw(energy),
                    faster_percent=draw(saving),
                    less_energy_percent=draw(saving),
                    board_learns=draw(st.booleans()),
                )
            )
    return _report(*rows)


def _both(report: FxcyReport, one: str, other: str) -> list[tuple[FxcyRow, FxcyRow]]:
    found = []
    for each in comparisons(report.rows):
        pair = each.case(one), each.case(other)
        if pair[0] is not None and pair[1] is not None:
            found.append((pair[0], pair[1]))
    return found


def _clear(one: FxcyRow, other: FxcyRow) -> int:
    """Which is more accurate beyond noise, computed once more."""
    noise = sum((each.sd or 0.0) ** 2 / len(each.seeds) for each in (one, other)) ** 0.5
    difference = one.accuracy - other.accuracy
    return 0 if abs(difference) <= max(noise, 0.005) + 1e-9 else 1 if difference > 0 else -1


@settings(max_examples=60, deadline=None)
@given(reports())
def test_any_numbers_make_sentences(report: FxcyReport) -> None:
    said = closing(report)
    assert said[0].isupper() and said.endswith(".") and said == closing(report)
    assert not re.search(r"\b(nan|inf|True|False)\b", said)
    assert "None" not in said.replace("None of these cases", "")
    assert "  " not in said and "()" not in said and "-0.0" not in said and "\n" not in said


@settings(max_examples=60, deadline=None)
@given(reports())
def test_who_is_above_whom_is_counted_right(report: FxcyReport) -> None:
    said = closing(report)
    for subject, one, words, other in (
        ("In accuracy FxC1 is", "fxc1", "FC", "fc"),
        ("Retraining the whole network is", "whole", "training from scratch", "scratch"),
    ):
        verdicts = [_clear(*pair) for pair in _both(report, one, other)]
        found = re.search(rf"{subject} (.*?): ", said)
        if not verdicts:
            assert found is None
            assert "not both run" in said or not report.rows
            continue
        assert found is not None
        if len(verdicts) == 1:
            word = {1: "above", 0: "level with", -1: "below"}[verdicts[0]]
            assert found[1] == f"{word} {words}"
            continue
        counts = {
            word: int(count)
            for word, count in re.findall(rf"(\w+)(?: with)? (?:{words}|it) in (\d+)", found[1])
        }
        expected = {"above": 1, "level": 0, "below": -1}
        assert counts == {
            word: verdicts.count(verdict)
            for word, verdict in expected.items()
            if verdict in verdicts
        }


@settings(max_examples=60, deadline=None)
@given(reports())
def test_the_published_claims_are_sorted_by_majority(report: FxcyReport) -> None:
    said = closing(report)
    pairs = _both(report, "fxc1", "fc")
    found = re.search(r"Of what was published on images, (.*?)\. (?:For|None)", said)
    assert (found is not None) == bool(pairs)
    if found is None:
        return
    shown, _, missing = found[1].partition("not show")
    for text, right in (
        (shown, lambda c: 2 * c > len(pairs)),
        (missing, lambda c: 2 * c <= len(pairs)),
    ):
        for count, of in re.findall(r"\((\d+) of (\d+)\)", text):
            assert int(of) == len(pairs)
            assert right(int(count))
    sooner = sum(fxc1.faster_percent is not None and fxc1.faster_percent > 0 for fxc1, _ in pairs)
    assert f"reached sooner ({sooner} of {len(pairs)})" in found[1]


@settings(max_examples=60, deadline=None)
@given(reports())
def test_the_knees_of_the_paragraph_are_those_of_the_rows(report: FxcyReport) -> None:
    said = closing(report)
    for each in comparisons(report.rows):
        on_chain = [r for r in each.rows if r.case not in ("last_dense", "scratch")]
        where = knee(each.rows)
        if len(on_chain) > 1:
            name = "the whole network" if where == "whole" else case_label(where or "")
            found = re.search(r"More layers stop paying (.*?)\. ", said)
            assert found is not None and name in found[1]
            assert where in {r.case for r in on_chain}


def test_fxc1_below_fc_is_said_and_named() -> None:
    better = [row("fc", 0.6, backbone="a"), row("fxc1", 0.7, backbone="a")]
    never = row("fxc1", 0.6, backbone="b", faster_percent=None, seeds_to_fc=1)
    worse = [row("fc", 0.7, backbone="b"), never]
    said = closing(_report(*better, *worse))
    assert "above FC in 1 of 2 comparisons and below it in 1 (hapt → watch, b)" in said
    assert "\u221210.0 to +10.0 points, 0.0 in the mean" in said
    assert "FC's best accuracy with 4 of 6 seeds, with at least half of them in 1 of 2" in said
    assert closing(_report(*worse)).startswith("In accuracy FxC1 is below FC: \u221210.0 points.")
    assert "It does not reach FC's best accuracy" in closing(_report(*worse))


def test_a_tie_is_level() -> None:
    said = closing(_report(row("fc", 0.7), row("fxc1", 0.704)))
    assert "FxC1 is level with FC: +0.4 points" in said
    assert "More layers stop paying at FC." in said
    assert "in as many epochs, with as much training energy" in said


def test_the_board_is_told_what_it_can_learn_and_what_that_lacks() -> None:
    able = [row("fc", 0.6, board_learns=True), row("fxc1", 0.8, board_learns=True)]
    other = row("whole", 0.9, backbone="mobilenetv2")
    said = closing(_report(*able, other))
    assert "FxC1 of dscnn with 80.0" in said and "and 4,096 B of training RAM" in said
    assert "10.0 points below the best of all (whole of mobilenetv2)" in said
    assert "the most accurate of all cases" in closing(_report(*able))
    assert "None of these cases is one that the board's learner has" in closing(_report(other))


def test_nothing_run_concludes_nothing() -> None:
    assert "nothing to conclude" in closing(_report())


def test_scratch_that_beats_transfer_is_said() -> None:
    rows = [*_chain(0.6, 0.7), row("whole", 0.8), row("scratch", 0.9)]
    said = closing(_report(*rows))
    assert "whole network is below training from scratch: \u221210.0 points" in said
    assert "scratch is more accurate than even the case at the knee in the one comparison" in said


# Beside the device and the published table


def test_the_device_is_within_noise_or_not_by_the_stated_rule() -> None:
    report = _sample()
    rows = beside(report)
    assert len(rows) == 6
    assert [each.agrees for each in rows] == [True, True, False, True, True, True]
    for each in rows:
        device = each.device
        assert device.sd is not None and device.tensorflow_sd is not None
        error = ((device.sd**2 + device.tensorflow_sd**2) / 3) ** 0.5
        assert each.noise == pytest.approx(max(2 * error, 0.01))
        assert each.agrees == (abs(each.difference) <= each.noise)
    assert "agrees with its rule in TensorFlow within noise in 5 of 6 cases" in closing(report)
    assert "Against Adam on the same case it is \u22124.1 to +0.8 points" in closing(report)
    lonely = _sample().model_copy(update={"rows": []})
    assert [each.adam for each in beside(lonely)] == [None] * 6


def test_one_seed_is_given_without_a_deviation_and_said_to_tell_nothing_of_noise(
    tmp_path: Path,
) -> None:
    report = _report(row(seeds=[0], sd=None), row("fxc1", 0.86, seeds=[0], sd=None))
    said = closing(report)
    assert "the noise between seeds was not measured" in said
    assert "was not measured" not in closing(_report(row(), row("fxc1", 0.86)))
    assert "80.0 ±" not in _printed(report, 160) and "80.0" in _printed(report, 160)
    assert "80.0 ±" not in write_fxcy_report(report, tmp_path).read_text()


def test_seeds_that_never_reach_fc_are_counted() -> None:
    some = row("fxc1", 0.86, seeds_to_fc=2, epochs_to_fc=1.5, faster_percent=50.0)
    report = _report(row(), some)
    assert "1.5 (2)" in _printed(report, 160)
    assert "reaches FC's best accuracy with 2 of 3 seeds" in closing(report)


def test_images_of_nobody_have_no_worst_person(tmp_path: Path) -> None:
    nobody = row(worst_subject=None, worst_subject_accuracy=None)
    page = write_fxcy_report(_report(nobody), tmp_path).read_text()
    assert "unknown" not in page and json.loads((tmp_path / "fxcy.json").read_text())
    assert "None" not in _printed(_report(nobody), 160)


def test_a_run_without_the_board_leaves_no_board_rows_of_an_earlier_one(tmp_path: Path) -> None:
    write_fxcy_report(_sample(), tmp_path)
    assert (tmp_path / "fxcy_device.csv").exists()
    write_fxcy_report(_report(row("whole")), tmp_path)
    assert not (tmp_path / "fxcy_device.csv").exists()


def test_ours_stand_below_the_published_line_of_the_same_network() -> None:
    lines = beside_published(_sample())
    names = [(line.network, line.published) for line in lines]
    at = names.index(("small CNN", True))
    assert names[at + 1 : at + 3] == [("smallcnn", False)] * 2
    assert sum(line.published for line in lines) == 4
    assert sum(not line.published for line in lines) == 10
    assert lines[at].times == pytest.approx(31097.5 / 844.9)
    sized = [row("fc", 0.5, backbone="smallcnn@48"), row("fxc1", 0.6, backbone="smallcnn@48")]
    assert beside_published(_report(*sized))[1].network == "smallcnn@48"


# Tables and CSV


@pytest.mark.parametrize("width", [100, 140])
def test_the_tables_fit_and_lose_nothing(width: int) -> None:
    report = _sample()
    text = _printed(report, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\u2026" not in text
    assert text.count("*\n") == 0 and len(re.findall(r"^\S+\*", text, re.MULTILINE)) == 10
    for part in (
        "hapt → watch · dscnn",
        "7,777,012",
        "59.3 MB",
        "61.7 ± 0.6",
        "44.7 10",
        "\u22124.1",
    ):
        assert part in text
    assert re.search("FxC2 +73.3 ± 0.7 +69.2 ± 0.7 +\u22124.1 +1.2 +no", text)


def test_what_is_not_reached_is_a_dash_and_names_are_no_markup() -> None:
    odd = row("fxc1", 0.5, epochs_to_fc=None, faster_percent=None, backbone="[red]x[/red]")
    text = _printed(_report(odd), 100)
    assert "[red]x[/red]" in text
    assert re.search(r" - +- ", text)


def test_the_csv_has_a_line_a_row_and_no_curves() -> None:
    report = _sample()
    lines = list(csv.DictReader(io.StringIO(fxcy_csv(report))))
    assert len(lines) == len(report.rows)
    assert set(lines[0]) == set(FxcyRow.model_fields) - {"accuracy_curve", "loss_curve"}
    for line, each in zip(lines, report.rows, strict=True):
        assert float(line["accuracy"]) == each.accuracy
        assert [int(seed) for seed in line["seeds"].split()] == each.seeds
        expected = "" if each.faster_percent is None else repr(each.faster_percent)
        assert line["faster_percent"] == expected


def test_units_suit_the_size() -> None:
    shown = [joules(nj).replace("\u202f", " ") for nj in (0, 2.754, 844.9, 999.7, 64735.2, 4.1e9)]
    assert shown == ["0.00 nJ", "2.75 nJ", "845 nJ", "1.00 µJ", "64.7 µJ", "4.10 J"]
    assert [memory(n) for n in (4096, 26_214, 122_880, 1_023_990, 32_505_856)] == [
        *("4,096 B", "25.6 KB", "120 KB", "1,000 KB", "31.0 MB")
    ]
    assert [times(x) for x in (0.004, 1.031, 36.8, 468.3)] == [
        "\u00d70.004",
        "\u00d71.03",
        "\u00d736.8",
        "\u00d7468",
    ]
    assert [signed(x) for x in (0.0712, -0.02, -0.0001)] == ["+7.1", "\u22122.0", "0.0"]


# Pictures and the page


def _colours(svg: str) -> set[str]:
    return set(re.findall(r"#[0-9a-f]{6}\b", svg))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the whole sample."""
    output = tmp_path_factory.mktemp("fxcy") / "new"
    assert write_fxcy_report(_sample(), output) == output / "fxcy.html"
    return output


def _drawn(folder: Path) -> tuple[str, str]:
    """The inline pictures of the page: bars, curves."""
    bars, curves = re.findall(r"<svg.*?</svg>", (folder / "fxcy.html").read_text(), re.DOTALL)
    return bars, curves


def test_the_bars_tell_every_case_and_mark_every_knee(folder: Path) -> None:
    bars, _ = _drawn(folder)
    ET.fromstring(bars)
    assert len(re.findall(r">knee<", bars)) == 10
    assert not _colours(bars)
    for each in _sample().rows:
        assert f">{100 * each.accuracy:.1f}<" in bars
        assert f">{joules(each.energy_nj)}<" in bars


def test_the_same_report_is_drawn_the_same() -> None:
    report = _report(*_chain(0.5, 0.6))
    assert bars_picture(report) == bars_picture(report)


def test_names_of_curves_never_lie_upon_each_other() -> None:
    for heights in ([0.5] * 8, [0.1, 0.9, 0.91, 0.92], [1.0, 0.99, 0.0], [0.0, 0.0, 0.0]):
        placed = _apart(heights, 0.1, 0.0, 1.0)
        assert all(-1e-9 <= height <= 1 + 1e-9 for height in placed)
        ordered = sorted(placed)
        assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(ordered))
        ranks = sorted(range(len(heights)), key=lambda at: heights[at])
        assert [placed[at] for at in ranks] == ordered
    assert _apart([0.2, 0.8], 0.1, 0.0, 1.0) == [0.2, 0.8]


def test_the_curves_name_every_case(folder: Path) -> None:
    _, curves = _drawn(folder)
    ET.fromstring(curves)
    assert not _colours(curves)
    assert curves.count("\u25c2 knee<") == 10
    assert curves.count("> FxC1<") + curves.count("> FxC1 \u25c2 knee<") == 10


@pytest.mark.parametrize(
    "rows",
    [
        [row("fc", 0.0, energy_nj=0.0, accuracy_curve=[0.0], loss_curve=[9.0])],
        [row("scratch", 1.0, energy_nj=1e12)],
        [row(f"fxc{y}", 0.8, accuracy_curve=[0.8] * 3) for y in range(1, 25)],
        [row("fc", 0.5, source="s" * 60, target="$\\frac{", backbone="</svg><script>")],
        [row("fc", 0.5, accuracy_curve=[], loss_curve=[])],
    ],
    ids=["zero", "scratch alone", "many cases", "odd names", "no curve"],
)
def test_odd_reports_are_drawn_too(rows: list[FxcyRow], tmp_path: Path) -> None:
    write_fxcy_report(_report(*rows), tmp_path)
    for picture in tmp_path.glob("*.svg"):
        ET.fromstring(picture.read_text())
    page = (tmp_path / "fxcy.html").read_text()
    assert "<script" not in page


def test_all_files_are_written_and_stand_alone(folder: Path) -> None:
    report, page = _sample(), (folder / "fxcy.html").read_text()
    names = {path.name for path in (folder).iterdir()}
    assert names == {
        *("fxcy.json", "fxcy.csv", "fxcy_device.csv"),
        *("fxcy.svg", "fxcy_curves.svg", "fxcy.html"),
    }
    written = json.loads((folder / "fxcy.json").read_text())
    assert written == fxcy_document(report) and written["closing"] == closing(report)
    assert FxcyReport.model_validate(written) == report
    for found in written["knees"]:
        of = (found["source"], found["target"], found["backbone"])
        rows = [row for row in report.rows if (row.source, row.target, row.backbone) == of]
        assert rows and found["case"] == knee(rows)
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.count("<svg") == 2 and "src=" not in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    references = re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", page)
    assert {a or b for a, b in references} <= set(ids)
    for name in ("fxcy.svg", "fxcy_curves.svg"):
        picture = (folder / name).read_text()
        assert "var(--" not in picture
        ET.fromstring(picture)
    for part in (report.command, report.date, "2.21.0", "5-fold/0", "900", "31,097.5"):
        assert part in page
    assert all(f"{value:.1f}" in page for value in (88.5, 92.2, 91.1))


def test_names_from_outside_stay_text_on_the_page() -> None:
    bad = "<img src=x onerror=alert(1)>"
    page = fxcy_page(
        _report(*_chain(0.5, 0.6, backbone=bad, worst_subject=bad), notes=[bad]), pictures={}
    )
    assert "<img" not in page and "&lt;img" in page


def test_without_rows_there_are_no_pictures_but_a_page(tmp_path: Path) -> None:
    write_fxcy_report(_report(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"fxcy.json", "fxcy.csv", "fxcy.html"}
    assert "nothing to conclude" in (tmp_path / "fxcy.html").read_text()
