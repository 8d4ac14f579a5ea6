"""The report of `har variants`: sentences that follow the numbers, files that stand alone."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pipeline.experiments.variants.findings import variant_findings
from pipeline.experiments.variants.format import beside_limit, brief, kilo, lost, smaller, span
from pipeline.experiments.variants.picture import variants_picture, variants_pictures
from pipeline.experiments.variants.published import beside, kind
from pipeline.experiments.variants.report import (
    variants_csv,
    variants_document,
    variants_page,
    write_variants_report,
)
from pipeline.experiments.variants.schema import PUBLISHED, VariantRow, VariantsReport
from pipeline.experiments.variants.tables import variants_table
from tests.unit.experiments.variants.report_samples import sample_variants, variant_row

HOSTILE = '<b>"net"&[red]$x_{\n'


def _found(rows: list[VariantRow], about: str, **changes: Any) -> list[str]:
    return [
        said for said in variant_findings(sample_variants(rows=rows, **changes)) if about in said
    ]


def _finding(rows: list[VariantRow], about: str, **changes: Any) -> str:
    (said,) = _found(rows, about, **changes)
    return said


def _pair(accuracy: float = 0.9, loss: float = 0.0, **changes: Any) -> list[VariantRow]:
    """float32 and int8 of one network."""
    return [
        variant_row(variant="float32", accuracy=accuracy, accuracies=[accuracy], drop=0.0),
        variant_row(accuracy=accuracy - loss, accuracies=[accuracy - loss], drop=loss, **changes),
    ]


def test_half_a_point_is_what_int8_may_lose() -> None:
    assert "the most is 0.50 points, dscnn int8" in _finding(_pair(0.9, 0.005), "at most half")
    assert "nothing is lost" in _finding(_pair(0.9, -0.01), "at most half a point")
    beyond = _finding(_pair(0.9, 0.0051), "more than half a point in the only such row")
    assert "dscnn int8 (0.51)" in beyond


def test_what_is_rounded_still_shows_its_side_of_the_limit() -> None:
    said = _finding(_pair(0.9, 0.005004), "more than half a point")
    assert "(0.5004)" in said
    assert "dscnn int8 (3.6997)" in _finding(_pair(shrink=3.6997), "less than 3.7 times")
    assert "3.70 times" in _finding(_pair(shrink=3.7), "Quantizing shrinks the weights 3.70")


def test_pruned_and_quantized_is_held_against_pruned_alike() -> None:
    pruned = variant_row(variant="pruned80", accuracy=0.85, drop=0.05)
    quantized = variant_row(variant="pruned80_int8", accuracy=0.848, drop=0.052)
    base = variant_row(variant="float32", accuracy=0.9)
    assert "0.20 points, dscnn pruned80_int8" in _finding(
        [base, pruned, quantized], "at most half a point"
    )


@pytest.mark.parametrize("others", [("float32",), (), ("float32", "int8")])
def test_what_pruning_lost_is_never_blamed_on_int8(others: tuple[str, ...]) -> None:
    quantized = variant_row(variant="pruned80_int8", accuracy=0.848, drop=0.052)
    rows = [*(variant_row(variant=name) for name in others), quantized]
    about = [said for said in _found(rows, "half a point") if "pruned80_int8" in said]
    assert about == []
    assert _finding(rows, "cannot be told from what pruning costs") == (
        "What quantizing costs dscnn pruned80_int8 cannot be told from what pruning costs: the "
        "pruned network itself was not measured."
    )
    whole = [*rows, variant_row(variant="pruned80", accuracy=0.85, drop=0.05)]
    assert not _found(whole, "cannot be told")


@pytest.mark.parametrize("variant", ["pruned80", "pruned80_int8", "pruned80_qat", "int8_qat"])
def test_a_gain_of_what_was_trained_for_longer_is_not_credited_to_pruning(variant: str) -> None:
    base = variant_row(variant="float32", accuracy=0.9)

    def gained(name: str, by: float) -> list[str]:
        row = variant_row(variant=name, accuracy=0.9 + by, drop=-by)
        return _found([base, row], "trained for longer")

    (said,) = gained(variant, 0.0123)
    assert f"dscnn {variant} (1.23), in points." in said
    assert gained(variant, 0.0) == gained(variant, -0.01) == []
    assert gained("int8", 0.0123) == gained("float16", 0.0123) == []


def test_pruning_is_said_to_shrink_what_it_shrinks() -> None:
    base = variant_row(variant="float32", bytes=1000, compressed_bytes=900)

    def said(file: int, gzip: int) -> str:
        row = variant_row(variant="pruned50", bytes=file, compressed_bytes=gzip)
        return _finding([base, row], "Against float32, pruning")

    assert "only gzip shows it" in said(1000, 450)
    assert "pruned50 (file 1.00, gzip 2.00)" in said(1000, 450)
    assert "shrinks the file and what gzip makes of it" in said(500, 450)
    assert "shrinks the file but not what gzip" in said(500, 900)
    assert "shrinks neither" in said(1000, 900)
    assert not _found([variant_row(variant="pruned50")], "Against float32")


def test_a_variant_stands_for_all_networks_only_where_all_do_the_same() -> None:
    rows = [variant_row(name, "float32") for name in ("dscnn", "smallcnn")]
    rows += [variant_row(name, "pruned50") for name in ("dscnn", "smallcnn")]
    assert "gzip: pruned50 (" in _finding(rows, "only gzip").replace(" shows it, times smaller", "")
    size = rows[0].compressed_bytes
    rows[2] = rows[2].model_copy(update={"compressed_bytes": size})
    assert ": smallcnn pruned50 (" in _finding(rows, "only gzip shows it")
    assert ": dscnn pruned50 (" in _finding(rows, "shrinks neither")


def test_what_fits_is_told_with_its_engine() -> None:
    rows = [
        variant_row(variant="float32", fits=True, engine="tflm"),
        variant_row(variant="float16", fits=False, engine=None),
        variant_row(variant="int8", fits=True, engine="compiled"),
    ]
    assert _finding(rows, "the board") == (
        "dscnn: float32 fits the board with TFLite-Micro; int8 fits the board with the compiled "
        "engine; float16 does not."
    )
    assert _finding(rows[1:2], "the board") == "dscnn: nothing fits the board (float16)."
    both = [variant_row(name, "int8") for name in ("dscnn", "smallcnn")]
    assert _finding(both, "the board").startswith("dscnn, smallcnn: int8 fits the board")


def test_what_was_not_measured_is_not_said_to_be_too_large() -> None:
    def said(**fits: bool | None) -> str:
        rows = [variant_row(variant=name, fits=fit) for name, fit in fits.items()]
        return _finding(rows, "the board").removeprefix("dscnn: ")

    assert said(int8=None) == "whether int8 fits the board was not measured."
    assert said(float32=None, int8=None) == (
        "whether float32, int8 fit the board was not measured."
    )
    assert said(float16=False, int8=None) == (
        "float16 does not fit the board; whether int8 does was not measured."
    )
    assert said(float32=False, float16=False, int8=True, int8_qat=None) == (
        "int8 fits the board with the compiled engine; float32, float16 do not; whether int8_qat "
        "does was not measured."
    )


def test_not_measured_has_a_word_of_its_own_everywhere() -> None:
    rows = [
        variant_row(variant="float32", fits=False, engine="tflm"),
        variant_row(variant="int8", fits=None, engine="compiled"),
    ]
    report = sample_variants(rows=rows)
    assert variants_document(report)["rows"][1]["fits"] is None
    assert '"fits": null' in json.dumps(variants_document(report))
    cells = [line["fits"] for line in csv.DictReader(io.StringIO(variants_csv(report)))]
    assert cells == ["false", ""]
    (line,) = [each for each in _printed(report, 100).splitlines() if each.startswith("int8 ")]
    assert line.rstrip().endswith("not measured")
    page = variants_page(report)
    assert '<td class="left bad">no</td>' in page
    assert '<td class="left ">not measured</td>' in page
    assert "half where that was not measured" in page and "1 not measured" in page
    assert ">not measured</text>" in variants_pictures(rows)["key"]
    measured = variants_page(sample_variants())
    assert "half where" not in measured
    assert ">not measured</text>" not in variants_pictures(sample_variants().rows)["key"]
    unknown = [row.model_copy(update={"fits": None}) for row in rows]
    assert '<span class="number">not measured</span>' in variants_page(
        sample_variants(rows=unknown)
    )


def test_what_was_not_measured_is_half_filled_in_the_picture() -> None:
    def drawn(fits: bool | None) -> str:
        return variants_pictures([variant_row(fits=fits)])["file"]

    assert len({drawn(True), drawn(False), drawn(None)}) == 3


def test_training_windows_are_those_of_an_epoch() -> None:
    page = variants_page(sample_variants(train_windows=4096))
    assert "on up to 4,096 windows an epoch" in page
    assert "4,096 training windows" not in page
    assert "4,096 <small>an epoch at most" in page


def test_the_published_table_agrees_only_where_it_does() -> None:
    def verdicts(loss: float, share: float) -> list[str]:
        base = variant_row("mobilenetv2", "float32", accuracy=0.95)
        row = variant_row(
            "mobilenetv2",
            accuracy=0.95 - loss,
            drop=loss,
            bytes=int(base.bytes / share),
            compressed_bytes=int(base.compressed_bytes / 10),
        )
        return [
            pair.verdict
            for each, mine in beside([base, row])
            for pair in mine
            if each.row.variant == "quantized"
        ]

    assert verdicts(0.08, 2.4) == ["agrees in accuracy and size"]
    assert verdicts(0.08, 4.0) == ["agrees in accuracy, not in size"]
    assert verdicts(0.004, 2.0) == ["agrees in size, not in accuracy"]
    assert verdicts(-0.02, 4.0) == ["does not agree"]


def test_the_published_figures_are_told_as_they_are() -> None:
    said = variant_findings(sample_variants())
    (mobilenet,) = [each for each in said if each.startswith("Published, quantizing MobileNet")]
    assert "costs 8.6 points and makes it 2.4 times smaller" in mobilenet
    (squeezenet,) = [each for each in said if each.startswith("Published, quantizing SqueezeNet")]
    assert "gains 2.7 points and makes it 6.3 times smaller" in squeezenet
    alone = variant_findings(sample_variants(rows=_pair()))
    assert [each for each in alone if "stand alone" in each] == [
        f"{name} was not measured here: its published rows stand alone."
        for name in ("MobileNet", "SqueezeNet")
    ]


@pytest.mark.parametrize(
    ("mobilenet", "verdict"),
    [(0.95, "it is behind"), (0.90, "it is, too"), (0.93, "both are level")],
)
def test_which_network_is_ahead_when_quantized(mobilenet: float, verdict: str) -> None:
    rows = [
        variant_row("mobilenetv2", accuracy=mobilenet),
        variant_row("squeezenet", accuracy=0.93),
    ]
    assert f"here {verdict} (" in _finding(rows, "SqueezeNet is ahead when quantized")


def test_seeds_say_how_much_of_a_difference_is_chance() -> None:
    row = variant_row(variant="float32", seeds=[0, 1], accuracies=[0.9, 0.92], accuracy=0.91)
    assert "dscnn float32 lie 2.00 points" in _finding([row], "the worst seed")
    assert "One of 2,947 test windows is 0.034 points." in _finding(_pair(), "One seed")
    assert "test windows" not in _finding(_pair(), "One seed", test_windows=0)


@st.composite
def _rows(draw: st.DrawFn) -> list[VariantRow]:
    """Any numbers at all, ties often, columns missing."""
    share = st.one_of(st.sampled_from([0.0, 0.5, 0.9, 0.905, 1.0]), st.floats(0, 1))
    count = st.one_of(st.sampled_from([0, 1, 1000, 1019, 1021]), st.integers(0, 10**8))
    optional = st.one_of(st.none(), count)
    backbones = ("dscnn", "mobilenetv2", "squeezenet")
    variants = ("float32", "float16", "int8", "int8_qat", "pruned50", "pruned50_int8")
    chosen = draw(
        st.lists(st.tuples(st.sampled_from(backbones), st.sampled_from(variants)), unique=True)
    )
    accuracies = {pair: draw(share) for pair in chosen}
    return [
        variant_row(
            *pair,
            accuracy=accuracy,
            accuracies=[accuracy],
            drop=accuracies.get((pair[0], "float32"), draw(share)) - accuracy,
            shrink=draw(st.one_of(st.sampled_from([1.0, 3.7]), st.floats(0, 10))),
            bytes=draw(count),
            compressed_bytes=draw(count),
            weight_bytes=draw(count),
            arena_bytes=draw(optional),
            engine_ram_bytes=draw(optional),
            engine_flash_bytes=draw(optional),
            instructions=draw(optional),
            fits=draw(st.sampled_from([True, False, None])),
            engine=draw(st.sampled_from(["compiled", "tflm", None])),
            worst_subject_accuracy=draw(share),
        )
        for pair, accuracy in accuracies.items()
    ]


@settings(max_examples=100, deadline=None)
@given(_rows())
def test_the_sentences_hold_for_any_numbers(rows: list[VariantRow]) -> None:
    said = variant_findings(sample_variants(rows=rows))
    text = "\n".join(said)
    assert said and all(each.endswith(".") and "  " not in each for each in said)
    assert not re.search(r"\b(nan|inf|None)\b|\(\)|-\d", text)
    by_name = {(row.backbone, row.variant): row for row in rows}
    quantized = {pair: row for pair, row in by_name.items() if "quantized" in kind(pair[1])}
    listed = {
        about: set(
            re.findall(r"(\S+ \S+) \([\d.]+\)", "".join(each for each in said if about in each))
        )
        for about in ("more than half a point", "weights less than 3.7")
    }
    lossy, thick, untold = set(), set(), set()
    for (backbone, variant), row in quantized.items():
        before = by_name.get((backbone, variant.split("_")[0])) if "pruned" in variant else None
        if "pruned" in variant and before is None:
            untold.add(f"{backbone} {variant}")
        elif (row.drop if before is None else before.accuracy - row.accuracy) > 0.005 + 1e-9:
            lossy.add(f"{backbone} {variant}")
        if row.shrink < 3.7 - 1e-9:
            thick.add(f"{backbone} {variant}")
    assert {name.split(": ")[-1] for name in listed["more than half a point"]} == lossy
    assert {name.split(": ")[-1] for name in listed["weights less than 3.7"]} == thick
    assert ("at most half a point" in text) == (len(quantized) > len(untold) and not lossy)
    (alone,) = re.findall(r"What quantizing costs (.*) cannot be told", text) or [""]
    assert set(filter(None, alone.split(", "))) == untold
    gained = {
        f"{row.backbone} {row.variant}"
        for row in rows
        if row.drop < -1e-9 and row.variant in ("int8_qat", "pruned50", "pruned50_int8")
    }
    (longer,) = [each for each in said if "trained for longer" in each] or [""]
    assert set(re.findall(r"(\w+ \w+) \([\d.]+\)", longer)) == gained
    assert (not rows) == (said == ["Nothing was measured."])


@settings(max_examples=60, deadline=None)
@given(_rows())
def test_every_row_is_said_to_fit_or_not_or_not_to_be_measured(rows: list[VariantRow]) -> None:
    said = variant_findings(sample_variants(rows=rows))
    told: dict[tuple[str, str], bool | None] = {}
    for each in said:
        names, _, rest = each.rstrip(".").partition(": ")
        for part in rest.split("; ") if " the board" in rest else ():
            fits = None if "whether" in part else not re.search(r"nothing|do(es)? not", part)
            for backbone in names.split(", "):
                for variant in re.findall(r"(?:float|int|pruned)\w+", part):
                    told[backbone, variant] = fits
    assert told == {(row.backbone, row.variant): row.fits for row in rows}


@settings(max_examples=5, deadline=None)
@given(_rows())
def test_pages_tables_and_pictures_hold_for_any_numbers(rows: list[VariantRow]) -> None:
    report = sample_variants(rows=rows)
    page = variants_page(report)
    assert page.count("</tr>") == len(rows) + len(beside([])) + len(
        [None for _, mine in beside(rows) for _ in mine[1:]]
    ) + 1 + len({row.backbone for row in rows})
    assert variants_csv(report).count("\n") >= len(rows) + 1
    Console(width=100, file=io.StringIO()).print(variants_table(report))
    if rows:
        ET.fromstring(variants_picture(variants_pictures(rows)))


def _printed(report: VariantsReport, width: int) -> str:
    written = io.StringIO()
    Console(width=width, file=written).print(variants_table(report))
    return written.getvalue()


@pytest.mark.parametrize("width", [100, 140])
def test_the_table_is_whole_at_usual_widths(width: int) -> None:
    report = sample_variants()
    text = _printed(report, width)
    assert "…" not in text and max(map(len, text.splitlines())) <= width
    for row in report.rows:
        assert f"{100 * row.accuracy:.1f}" in text
    (line,) = [
        each for each in text.splitlines() if each.startswith("pruned80 ") and "1,565" in each
    ]
    assert line.split()[-1] == "no"
    assert "float32, float16, pruned50, pruned80: The compiled engine takes int8 only." in text
    assert "4,128 nJ; began with watch" in text and "began untrained" in text


def test_a_long_name_of_a_person_gives_way_to_the_numbers() -> None:
    rows = [variant_row(worst_subject="the person of the second session")]
    line = next(
        each
        for each in _printed(sample_variants(rows=rows), 100).splitlines()
        if each.startswith("int8")
    )
    assert line.rstrip().endswith("compiled") and "96.4" in line and "35.1" in line


def test_csv_holds_every_field_in_a_stable_order() -> None:
    rows = [
        variant_row(variant="float16", limits=['says "no", twice', "and again"], seeds=[0, 1]),
        variant_row(accuracies=[0.5, 0.25]),
    ]
    first, second = csv.DictReader(io.StringIO(variants_csv(sample_variants(rows=rows))))
    assert list(first) == list(VariantRow.model_fields)
    assert first["limits"] == 'says "no", twice\nand again' and first["seeds"] == "0 1"
    assert first["arena_bytes"] == "" and first["fits"] == "false" and second["fits"] == "true"
    assert second["accuracies"] == "0.5 0.25"
    assert float(second["accuracy"]) == rows[1].accuracy


def test_files_are_whole_and_the_same_twice(tmp_path: Path) -> None:
    report = sample_variants()
    assert write_variants_report(report, tmp_path / "deep" / "out").name == "variants.html"
    written = {path.name: path.read_text() for path in (tmp_path / "deep" / "out").iterdir()}
    assert set(written) == {"variants.json", "variants.csv", "variants.svg", "variants.html"}
    write_variants_report(report, tmp_path / "again")
    assert written == {path.name: path.read_text() for path in (tmp_path / "again").iterdir()}
    document = json.loads(written["variants.json"])
    assert document == variants_document(report)
    assert document.pop("findings") == variant_findings(report)
    assert VariantsReport.model_validate(document) == report


def test_a_run_without_rows_is_a_report_without_a_picture(tmp_path: Path) -> None:
    write_variants_report(sample_variants(rows=[]), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("variants.json", "variants.csv", "variants.html")
    }
    assert "Nothing was measured." in (tmp_path / "variants.html").read_text()


def test_the_page_stands_alone_and_believes_no_name(tmp_path: Path) -> None:
    row = variant_row().model_copy(
        update={"backbone": HOSTILE, "worst_subject": HOSTILE, "limits": [HOSTILE]}
    )
    report = sample_variants(
        rows=[row], weights={HOSTILE: HOSTILE}, notes=[HOSTILE], command=HOSTILE, dataset=HOSTILE
    )
    write_variants_report(report, tmp_path)
    page = (tmp_path / "variants.html").read_text()
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert not re.search(r"https?://|@import|<script|url\((?!#)", page)
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and page.count("<svg") == 3
    picture = (tmp_path / "variants.svg").read_text()
    ET.fromstring(picture)
    assert "var(--" not in picture and "#0a0c" not in picture
    assert "[red]" in _printed(report, 140)


def test_the_page_colours_every_network_in_light_and_dark() -> None:
    page = variants_page(sample_variants())
    used = set(re.findall(r"var\(--(network-\d)\)", page))
    assert len(used) == 4
    assert all(page.count(f"--{name}:") == 2 for name in used)


def test_every_published_row_stands_on_the_page() -> None:
    page = variants_page(sample_variants(rows=_pair()))
    for row in PUBLISHED:
        assert f"{row.network} {row.variant}" in page
    assert page.count("not measured</td>") == len(PUBLISHED)


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.02])
@pytest.mark.parametrize("panel", ["file", "gzip"])
def test_names_in_the_picture_cover_nothing(
    panel: str, shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    boxes: dict[str, list[Any]] = {}

    def keep(figure: Figure, name: str, _: str) -> str:
        figure.canvas.draw()
        if figure.axes[0].axison:
            (axes,) = figure.axes
            labels = [text.get_window_extent() for text in axes.texts]
            marks = [
                axes.transData.transform(point)
                for line in axes.lines
                if len(line.get_xdata()) == 1
                for point in line.get_xydata()
            ]
            boxes[name.removeprefix("variants-")] = [labels, marks, axes.get_window_extent()]
        return ""

    monkeypatch.setattr("pipeline.report.plots._inline", keep)
    moved = [
        row.model_copy(update={"accuracy": row.accuracy + shift})
        if row.backbone == "squeezenet"
        else row
        for row in sample_variants().rows
    ]
    variants_pictures(moved)
    labels, marks, frame = boxes[panel]
    assert len(labels) == 4 and len(marks) == len(moved)
    for place, label in enumerate(labels):
        assert not any(label.overlaps(other) for other in labels[:place])
        assert not any(label.contains(*mark) for mark in marks)
        assert frame.x0 <= label.x0 and label.x1 <= frame.x1
        assert frame.y0 <= label.y0 and label.y1 <= frame.y1


def test_what_failed_lies_on_the_edge_with_its_number() -> None:
    rows = [*_pair(), variant_row(variant="pruned80", accuracy=0.21, accuracies=[0.21], drop=0.69)]
    drawn = variants_pictures(rows)["file"]
    assert "\u2193 21.0" in drawn
    assert "\u2193" not in variants_pictures(_pair())["file"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (87, "87"),
        (999, "999"),
        (999_600, "1.00M"),
        (549_478, "549k"),
        (3_195_424, "3.20M"),
    ],
)
def test_counts_are_brief(count: int, text: str) -> None:
    assert brief(count) == text


def test_figures_keep_what_matters() -> None:
    assert [kilo(size) for size in (0, 6_800, 17_500, 2_300_000)] == ["0", "6.64", "17.1", "2,246"]
    assert [lost(drop) for drop in (0.0, -0.00001, 0.0042, -0.002)] == [
        "0",
        "0",
        "0.42",
        "\u22120.20",
    ]
    assert [smaller(times) for times in (3.7, 1.004, 0.5)] == [
        *("3.70 times smaller", "as large", "2.00 times larger")
    ]
    assert beside_limit(0.5, 0.5) == "0.50" and beside_limit(0.5001, 0.5) == "0.5001"
    assert span([2.0, 1.999]) == "2.00" and span([4, 3.7], 3.7) == "3.70 to 4.00"
