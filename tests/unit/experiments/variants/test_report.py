"""The report of `har variants`: claims that follow the numbers, files that stand alone."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, Group

from pipeline.experiments.variants.report import (
    PUBLISHED,
    VariantRow,
    VariantsReport,
    kind,
    variant_claims,
    variants_document,
    variants_page,
    variants_picture,
    variants_tables,
    write_variants_report,
)
from pipeline.report.claims import Claim
from pipeline.report.fields import flat_csv
from pipeline.report.tables import terminal
from tests.unit.experiments.variants.report_samples import sample_variants, variant_row
from tests.unit.report.test_html import Parsed

FIGURES = ("points", "size")
HOSTILE = '<b>"net"&[red]$x_{\n'


def _claim(rows: list[VariantRow], about: str) -> Claim:
    (found,) = [each for each in variant_claims(rows, 2947) if about in each.claim]
    return found


def _pair(accuracy: float = 0.9, loss: float = 0.0, **changes: Any) -> list[VariantRow]:
    """float32 and int8 of one network."""
    return [
        variant_row(variant="float32", accuracy=accuracy, accuracies=[accuracy], drop=0.0),
        variant_row(accuracy=accuracy - loss, accuracies=[accuracy - loss], drop=loss, **changes),
    ]


def _printed(report: VariantsReport, width: int) -> str:
    written = io.StringIO()
    Console(file=written, width=width).print(Group(*map(terminal, variants_tables(report))))
    return written.getvalue()


@pytest.mark.parametrize(("loss", "holds"), [(0.005, True), (-0.01, True), (0.0051, False)])
def test_half_a_point_is_what_int8_may_lose(loss: float, holds: bool) -> None:
    claim = _claim(_pair(0.9, loss), "int8 loses")
    assert (claim.n, claim.holds) == (1, holds)


@pytest.mark.parametrize(("shrink", "holds"), [(3.6997, False), (3.7, True)])
def test_int8_must_shrink_weights_3_7_times(shrink: float, holds: bool) -> None:
    assert _claim(_pair(shrink=shrink), "shrinks weights").holds is holds


@pytest.mark.parametrize("others", [("float32",), (), ("float32", "int8")])
def test_what_pruning_lost_is_never_blamed_on_int8(others: tuple[str, ...]) -> None:
    quantized = variant_row(variant="pruned80_int8", accuracy=0.848, drop=0.052)
    rows = [*(variant_row(variant=name) for name in others), quantized]
    alone = _claim(rows, "int8 loses")
    assert alone.n == ("int8" in others) and alone.holds in (None, True)
    whole = [*rows, variant_row(variant="pruned80", accuracy=0.85, drop=0.05)]
    assert _claim(whole, "int8 loses").n == 1 + ("int8" in others)
    if "int8" not in others:
        assert _claim(whole, "int8 loses").measured == "0.20"


def test_a_published_row_agrees_only_where_ours_does_the_same() -> None:
    def verdicts(loss: float, share: float) -> list[bool | None]:
        base = variant_row("mobilenetv2", "float32", accuracy=0.95)
        row = variant_row(
            "mobilenetv2",
            accuracy=0.95 - loss,
            drop=loss,
            bytes=int(base.bytes / share),
            compressed_bytes=int(base.compressed_bytes / 10),
        )
        return [_claim([base, row], f"MobileNet quantized, {what}").holds for what in FIGURES]

    assert verdicts(0.08, 2.4) == [True, True]
    assert verdicts(0.08, 4.0) == [True, False]
    assert verdicts(0.004, 2.0) == [False, True]
    assert verdicts(-0.02, 4.0) == [False, False]
    alone = _claim([variant_row("mobilenetv2")], "MobileNet quantized, size")
    assert alone.holds is None and alone.measured == "÷ \u2013 (gzip \u2013)"


def test_size_also_agrees_where_only_gzip_shrinks_as_published() -> None:
    base = variant_row("squeezenet", "float32", bytes=1000, compressed_bytes=900)
    row = variant_row("squeezenet", "pruned80", bytes=1000, compressed_bytes=330)
    size = _claim([base, row], "SqueezeNet pruned, size")
    assert (size.measured, size.holds) == ("÷ 1.00 (gzip 2.73)", True)


def test_the_published_figures_are_told_as_they_are() -> None:
    claims = {each.claim: each for each in variant_claims(sample_variants().rows, 2947)}
    assert claims["MobileNet quantized, points: int8"].published == "\u22128.6"
    assert claims["MobileNet quantized, size: int8"].published == "÷ 2.4"
    assert claims["SqueezeNet quantized, points: int8"].published == "+2.7"
    assert claims["SqueezeNet quantized, size: int8"].published == "÷ 6.3"
    assert claims["MobileNet's lead, points: float32"].published == "+0.7"
    assert claims["MobileNet's lead, points: int8"].published == "\u221210.6"
    alone = [each.claim for each in variant_claims(_pair(), 2947)]
    assert len(alone) == 2  # neither network was measured


@pytest.mark.parametrize(("mobilenet", "holds"), [(0.95, False), (0.90, True), (0.93, False)])
def test_which_network_leads_when_quantized(mobilenet: float, holds: bool) -> None:
    rows = [
        variant_row("mobilenetv2", accuracy=mobilenet),
        variant_row("squeezenet", accuracy=0.93),
    ]
    assert _claim(rows, "lead").holds is holds


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
def test_the_claims_hold_for_any_numbers(rows: list[VariantRow]) -> None:
    claims = variant_claims(rows, 2947)
    assert not any(
        word in f"{each.measured} {each.published}" for each in claims for word in ("nan", "None")
    )
    by_name = {(row.backbone, row.variant): row for row in rows}
    quantized = {pair: row for pair, row in by_name.items() if "quantized" in kind(pair[1])}
    losses = []
    for (backbone, variant), row in quantized.items():
        before = by_name.get(
            (backbone, variant.split("_")[0] if "pruned" in variant else "float32")
        )
        losses += [before.accuracy - row.accuracy] if before else []
    loss, shrink = claims[:2]
    assert (loss.n, shrink.n) == (len(losses), len(quantized))
    assert loss.holds == (max(losses) <= 0.005 + 1e-9 if losses else None)
    thick = [row.shrink < 3.7 - 1e-9 for row in quantized.values()]
    assert shrink.holds == (not any(thick) if thick else None)


def test_not_measured_has_a_word_of_its_own_everywhere() -> None:
    rows = [
        variant_row(variant="float32", fits=False, engine="tflm"),
        variant_row(variant="int8", fits=None, engine="compiled"),
    ]
    report = sample_variants(rows=rows)
    assert variants_document(report)["rows"][1]["fits"] is None
    cells = [line["fits"] for line in csv.DictReader(io.StringIO(flat_csv(VariantRow, rows)))]
    assert cells == ["false", ""]
    (line,) = [each for each in _printed(report, 100).splitlines() if each.startswith("int8 ")]
    assert line.rstrip().endswith("not measured")
    page = variants_page(report, None)
    assert '<td class="bad">no</td>' in page and '<td class="dim">not measured</td>' in page


def test_what_was_not_measured_is_half_filled_in_the_picture() -> None:
    assert len({variants_picture([variant_row(fits=fits)]) for fits in (True, False, None)}) == 3


def test_training_windows_are_those_of_an_epoch() -> None:
    page = variants_page(sample_variants(train_windows=4096), None)
    assert "<dt>windows of an epoch, at most</dt><dd>4,096</dd>" in page


@pytest.mark.parametrize("width", [80, 140])
def test_the_tables_fit_and_lose_nothing(width: int) -> None:
    text = _printed(sample_variants(), width)
    assert max(map(len, text.splitlines())) <= width and "\u2026" not in text
    for part in ("dscnn: 17,894 parameters", "286,144 MACs", "2,155.3", "96.5", "compiled"):
        assert part in text


def test_a_limit_stands_once_with_the_variants_that_it_limits() -> None:
    text = " ".join(_printed(sample_variants(), 140).split())
    assert text.count("float32, float16, pruned50, pruned80: The compiled engine takes int8") == 4


def test_csv_holds_every_field_in_a_stable_order() -> None:
    rows = [
        variant_row(variant="float16", limits=['says "no", twice', "and again"], seeds=[0, 1]),
        variant_row(accuracies=[0.5, 0.25]),
    ]
    first, second = csv.DictReader(io.StringIO(flat_csv(VariantRow, rows)))
    assert list(first) == list(VariantRow.model_fields)
    assert first["limits"] == 'says "no", twice\nand again' and first["seeds"] == "0 1"
    assert first["arena_bytes"] == "" and first["fits"] == "false" and second["fits"] == "true"
    assert second["accuracies"] == "0.5 0.25"
    assert float(second["accuracy"]) == rows[1].accuracy


def test_files_are_whole_and_the_same_twice(tmp_path: Path) -> None:
    report = sample_variants()
    assert write_variants_report(report, tmp_path / "deep" / "out").name == "variants.html"
    written = {path.name: path.read_text() for path in (tmp_path / "deep" / "out").iterdir()}
    assert set(written) == {
        *("variants.json", "variants.csv", "variants_claims.csv"),
        *("variants.svg", "variants.html"),
    }
    write_variants_report(report, tmp_path / "again")
    assert written == {path.name: path.read_text() for path in (tmp_path / "again").iterdir()}
    document = json.loads(written["variants.json"])
    assert document == variants_document(report)
    claims = variant_claims(report.rows, report.test_windows)
    assert [Claim(**each) for each in document.pop("claims")] == claims
    assert VariantsReport.model_validate(document) == report
    page = Parsed(written["variants.html"])
    assert page.open == [] and page.tags.count("img") == 1
    for row in PUBLISHED:
        assert f"{row.network}{row.variant}{row.megabytes}" in "".join(page.text.split())


def test_a_run_without_rows_is_a_report_without_a_picture(tmp_path: Path) -> None:
    write_variants_report(sample_variants(rows=[]), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("variants.json", "variants.csv", "variants_claims.csv", "variants.html")
    }


def test_the_page_stands_alone_and_believes_no_name(tmp_path: Path) -> None:
    row = variant_row().model_copy(
        update={"backbone": HOSTILE, "worst_subject": HOSTILE, "limits": [HOSTILE]}
    )
    report = sample_variants(
        rows=[row], weights={HOSTILE: HOSTILE}, notes=[HOSTILE], command=HOSTILE, dataset=HOSTILE
    )
    write_variants_report(report, tmp_path)
    page = Parsed((tmp_path / "variants.html").read_text())
    assert page.open == [] and "b" not in page.tags and page.text.count(HOSTILE[:-1]) >= 5
    ET.fromstring((tmp_path / "variants.svg").read_text())
    assert "[red]" in _printed(report, 140)
