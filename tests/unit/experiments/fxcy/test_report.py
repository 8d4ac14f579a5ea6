"""The report of `har fxcy`: the knee, claims, tables, pictures and the page."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, Group

from pipeline.experiments.fxcy.report import (
    agreements,
    bars_picture,
    case_label,
    comparisons,
    fxcy_claims,
    fxcy_document,
    fxcy_page,
    fxcy_tables,
    joules,
    knee,
    signed,
    write_fxcy_report,
)
from pipeline.experiments.fxcy.rows import PUBLISHED, FxcyReport, FxcyRow
from pipeline.report.claims import Claim
from pipeline.report.fields import flat_csv
from pipeline.report.tables import terminal
from tests.unit.experiments.fxcy.report_samples import row, sample
from tests.unit.report.test_html import Parsed

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
    Console(file=written, width=width).print(Group(*map(terminal, fxcy_tables(report))))
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


# Claims


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


def _claim(report: FxcyReport, about: str) -> Claim:
    (found,) = [each for each in fxcy_claims(report) if about in each.claim]
    return found


@settings(max_examples=60, deadline=None)
@given(reports())
def test_any_numbers_make_claims_that_are_counted_right(report: FxcyReport) -> None:
    claims = fxcy_claims(report)
    assert claims == fxcy_claims(report) and len(claims) == 9
    assert not any(word in each.measured for each in claims for word in ("None", "nan", "-"))
    for about, one, other in (
        ("FxC1 is more accurate", "fxc1", "fc"),
        ("whole beats scratch", "whole", "scratch"),
    ):
        pairs = _both(report, one, other)
        above = sum(_clear(*pair) > 0 for pair in pairs)
        claim = _claim(report, about)
        assert (claim.measured, claim.n) == (f"{above} of {len(pairs)}", len(pairs))
        assert claim.holds == (2 * above > len(pairs) if pairs else None)
    sooner = [pair[0].faster_percent for pair in _both(report, "fxc1", "fc")]
    reached = sum(each is not None and each > 0 for each in sooner)
    assert _claim(report, "best accuracy sooner").measured == f"{reached} of {len(sooner)}"
    assert all(each.holds is None for each in claims) or report.rows


def test_a_published_range_holds_where_most_comparisons_lie_in_it() -> None:
    inside = [row("fc", 0.6, backbone="a"), row("fxc1", 0.7, backbone="a")]
    below = [row("fc", 0.7, backbone="b"), row("fxc1", 0.6, backbone="b", faster_percent=None)]
    claim = _claim(_report(*inside, *below), "gain of FxC1")
    assert (claim.published, claim.measured) == ("5.3 to 14.0", "\u221210.0 to 10.0")
    assert claim.holds is False and _claim(_report(*inside), "gain of FxC1").holds is True
    assert _claim(_report(*below), "epochs that this saves").measured == "\u2013"
    assert _claim(_report(*below), "epochs that this saves").holds is False


def test_a_tie_is_not_above() -> None:
    report = _report(row("fc", 0.7), row("fxc1", 0.704))
    assert _claim(report, "FxC1 is more accurate").measured == "0 of 1"


def test_nothing_run_claims_nothing() -> None:
    assert {each.holds for each in fxcy_claims(_report())} == {None}


def test_scratch_that_beats_transfer_and_the_knee_is_counted() -> None:
    rows = [*_chain(0.6, 0.7), row("whole", 0.8), row("scratch", 0.9)]
    assert _claim(_report(*rows), "whole beats scratch").measured == "0 of 1"
    assert _claim(_report(*rows), "does not beat the knee").holds is False
    rows[-1] = row("scratch", 0.75)
    assert _claim(_report(*rows), "does not beat the knee").holds is True


def test_the_device_is_within_noise_or_not_by_the_stated_rule() -> None:
    report = _sample()
    rows = agreements(report)
    assert len(rows) == 6
    assert [each.agrees for each in rows] == [True, True, False, True, True, True]
    for each in rows:
        device = each.device
        assert device.sd is not None and device.tensorflow_sd is not None
        error = ((device.sd**2 + device.tensorflow_sd**2) / 3) ** 0.5
        assert each.noise == pytest.approx(max(2 * error, 0.01))
        assert each.agrees == (abs(each.difference) <= each.noise)
    claim = _claim(report, "device equals TensorFlow")
    assert (claim.measured, claim.holds) == ("5 of 6", False)
    lonely = _sample().model_copy(update={"rows": []})
    assert [each.adam for each in agreements(lonely)] == [None] * 6


def test_one_seed_is_given_without_a_deviation() -> None:
    text = _printed(_report(row(seeds=[0], sd=None), row("fxc1", 0.86, seeds=[0], sd=None)), 160)
    assert "80.0" in text and "80.0 ±" not in text


def test_seeds_that_never_reach_fc_are_counted() -> None:
    some = row("fxc1", 0.86, seeds_to_fc=2, epochs_to_fc=1.5, faster_percent=50.0)
    assert "1.5 (2)" in _printed(_report(row(), some), 160)


def test_images_of_nobody_have_no_worst_person() -> None:
    report = _report(row(worst_subject=None, worst_subject_accuracy=None))
    assert "None" not in _printed(report, 160) and "None" not in fxcy_page(report, {}, [])


def test_a_run_without_the_board_leaves_no_board_rows_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "fxcy_device.csv").write_text("old")
    (tmp_path / "fxcy.svg").write_text("old")
    write_fxcy_report(_report(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("fxcy.json", "fxcy.csv", "fxcy_claims.csv", "fxcy.html")
    }


# Tables and CSV


@pytest.mark.parametrize("width", [80, 140])
def test_the_tables_fit_and_lose_nothing(width: int) -> None:
    text = _printed(_sample(), width)
    assert max(map(len, text.splitlines())) <= width and "\u2026" not in text
    assert sum(line.split(" ")[0].endswith("*") for line in text.splitlines()) == 10
    for part in ("hapt → watch · dscnn", "7,777,012", "60,766.7", "61.7 ± 0.6", "\u22124.1"):
        assert part in text


def test_what_is_not_reached_is_a_dash_and_names_are_no_markup() -> None:
    odd = row("fxc1", 0.5, epochs_to_fc=None, faster_percent=None, backbone="[red]x[/red]")
    text = _printed(_report(odd), 100)
    assert "[red]x[/red]" in text and text.count("\u2013") == 2


def test_the_csv_has_a_line_a_row_and_every_field() -> None:
    report = _sample()
    lines = list(csv.DictReader(io.StringIO(flat_csv(FxcyRow, report.rows))))
    assert len(lines) == len(report.rows)
    assert list(lines[0]) == list(FxcyRow.model_fields)
    for line, each in zip(lines, report.rows, strict=True):
        assert float(line["accuracy"]) == each.accuracy
        assert [int(seed) for seed in line["seeds"].split()] == each.seeds
        assert [float(part) for part in line["loss_curve"].split()] == each.loss_curve
        expected = "" if each.faster_percent is None else repr(each.faster_percent)
        assert line["faster_percent"] == expected


def test_units_suit_the_size() -> None:
    shown = [joules(nj).replace("\u202f", " ") for nj in (0, 2.754, 844.9, 999.7, 64735.2, 4.1e9)]
    assert shown == ["0.00 nJ", "2.75 nJ", "845 nJ", "1.00 µJ", "64.7 µJ", "4.10 J"]
    assert [signed(x) for x in (0.0712, -0.02, -0.0001)] == ["+7.1", "\u22122.0", "0.0"]


# Pictures and the page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the whole sample, drawn once."""
    output = tmp_path_factory.mktemp("fxcy") / "new"
    assert write_fxcy_report(_sample(), output) == output / "fxcy.html"
    return output


def test_the_pictures_name_every_case_and_accuracy(folder: Path) -> None:
    bars, curves = ((folder / name).read_text() for name in ("fxcy.svg", "fxcy_curves.svg"))
    for each in _sample().rows:
        assert f">{100 * each.accuracy:.1f}<" in bars
        assert f">{case_label(each.case)}<" in bars and f">{case_label(each.case)}<" in curves
    for picture in (bars, curves):
        ET.fromstring(picture)
        assert all(
            f"{each.source} → {each.target}, {each.backbone}" in picture
            for each in comparisons(_sample().rows)
        )


def test_the_same_report_is_drawn_the_same() -> None:
    report = _report(*_chain(0.5, 0.6))
    assert bars_picture(report) == bars_picture(report)


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
    assert "<script" not in (tmp_path / "fxcy.html").read_text()


def test_all_files_are_written_and_say_the_same(folder: Path) -> None:
    report, page = _sample(), Parsed((folder / "fxcy.html").read_text())
    assert {path.name for path in folder.iterdir()} == {
        *("fxcy.json", "fxcy.csv", "fxcy_claims.csv", "fxcy_device.csv"),
        *("fxcy.svg", "fxcy_curves.svg", "fxcy.html"),
    }
    written = json.loads((folder / "fxcy.json").read_text())
    assert written == fxcy_document(report)
    assert [Claim(**each) for each in written["claims"]] == fxcy_claims(report)
    fields = {name: written[name] for name in FxcyReport.model_fields}
    assert FxcyReport.model_validate(fields) == report
    for found in written["knees"]:
        of = (found["source"], found["target"], found["backbone"])
        rows = [row for row in report.rows if (row.source, row.target, row.backbone) == of]
        assert rows and found["case"] == knee(rows)
    assert page.open == [] and page.tags.count("img") == 2
    for part in (report.command, report.date, "2.21.0", "5-fold/0", "900", "31097.5"):
        assert part in page.text
    assert all(str(case.accuracy_fxc1) in page.text for case in PUBLISHED)


def test_names_from_outside_stay_text_on_the_page() -> None:
    bad = "<img src=x onerror=alert(1)>"
    report = _report(*_chain(0.5, 0.6, backbone=bad, worst_subject=bad), notes=[bad])
    page = Parsed(fxcy_page(report, {}, fxcy_claims(report)))
    assert page.open == [] and "img" not in page.tags and page.text.count(bad) >= 4
