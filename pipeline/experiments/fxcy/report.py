"""The files of `har fxcy`: fxcy.json, fxcy.csv, pictures and a page that stands alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.files import write_whole
from pipeline.experiments.fxcy.closing import closing
from pipeline.experiments.fxcy.format import (
    Comparison,
    beside,
    case_label,
    comparisons,
    joules,
    knee,
    memory,
    ratio,
    signed,
    span,
    spread,
    times,
)
from pipeline.experiments.fxcy.picture import BARS, CURVES, bars_picture, curves_picture
from pipeline.experiments.fxcy.schema import PUBLISHED, DeviceRow, FxcyReport
from pipeline.experiments.fxcy.tables import DEVICE_RULE, LEGEND, fxcy_csv, summary
from pipeline.report.flat import flat_csv

_FILES = (
    ("bars", "fxcy.svg", "Which layers to retrain", BARS),
    ("curves", "fxcy_curves.svg", "How soon it is learned", CURVES),
)
_ALL_FILES = {"fxcy_device.csv", *(name for _, name, _, _ in _FILES)}
# What a published network is called here.
_NETWORKS = {
    "small CNN": "smallcnn",
    "EfficientNetB0": "efficientnetb0",
    "EfficientNetB2": "efficientnetb2",
}


@dataclass(frozen=True)
class FcBesideFxc1:
    """One line of the comparison with the published table. Accuracies 0 to 1, energies in nJ by
    the original's formula; None where FxC1 never reaches FC's best."""

    network: str
    pair: str
    published: bool
    accuracy_fc: float
    accuracy_fxc1: float
    energy_fc_nj: float
    energy_fxc1_nj: float
    faster_percent: float | None
    times: float | None

    @property
    def gain(self) -> float:
        """Accuracy of FxC1 less that of FC."""
        return self.accuracy_fxc1 - self.accuracy_fc


def beside_published(report: FxcyReport) -> list[FcBesideFxc1]:
    """The published lines, each network's followed by ours of the same network; then our others."""
    ours: dict[str, list[FcBesideFxc1]] = {}
    for each in comparisons(report.rows):
        fc, fxc1 = each.case("fc"), each.case("fxc1")
        if fc is not None and fxc1 is not None:
            ours.setdefault(each.backbone.split("@")[0], []).append(_our_line(each))
    lines = []
    for network in dict.fromkeys(case.network for case in PUBLISHED):
        lines += [
            FcBesideFxc1(
                network,
                case.pair,
                True,
                case.accuracy_fc,
                case.accuracy_fxc1,
                case.energy_fc_nj,
                case.energy_fxc1_nj,
                case.faster_percent,
                case.energy_fxc1_nj / case.energy_fc_nj,
            )
            for case in PUBLISHED
            if case.network == network
        ]
        lines += ours.pop(_NETWORKS.get(network, network), [])
    return lines + [line for group in ours.values() for line in group]


def _our_line(each: Comparison) -> FcBesideFxc1:
    fc, fxc1 = (row for row in each.rows if row.case in ("fc", "fxc1"))
    return FcBesideFxc1(
        each.backbone,
        each.pair,
        False,
        fc.accuracy,
        fxc1.accuracy,
        fc.energy_nj,
        fxc1.energy_nj,
        fxc1.faster_percent,
        ratio(fxc1, fc),
    )


def fxcy_pictures(report: FxcyReport) -> dict[str, str]:
    """Inline SVGs by name: bars and curves, as far as there is something to draw."""
    pictures = {"bars": bars_picture(report)} if report.rows else {}
    if any(row.accuracy_curve for row in report.rows):
        pictures["curves"] = curves_picture(report)
    return pictures


def fxcy_page(report: FxcyReport, pictures: Mapping[str, str]) -> str:
    """The page as HTML text, self-contained, with the pictures of `fxcy_pictures`."""
    from markupsafe import Markup

    from pipeline.report.html import environment

    found = environment(Path(__file__).parent)
    words = {"joules": joules, "memory": memory, "times": times, "signed": signed}
    found.filters.update(words | {"case_label": case_label})
    infos = {(info.source, info.target): info for info in report.pairs}
    return found.get_template("fxcy.html.j2").render(
        report=report,
        headline=_headline(report),
        closing=closing(report),
        # Drawn by plots.py, which escapes what it is given.
        bars=Markup(pictures.get("bars", "")),
        curves=Markup(pictures.get("curves", "")),
        bars_remarks=BARS,
        curves_remarks=CURVES,
        comparisons=[
            (
                each,
                knee(each.rows),
                summary(each, infos.get((each.source, each.target)), report.epochs),
            )
            for each in comparisons(report.rows)
        ],
        published=beside_published(report),
        spread=spread,
        device=beside(report),
        device_rule=_sentences([DEVICE_RULE]),
        legend=_sentences(["bold: the knee" + LEGEND[0].removeprefix("* the knee"), *LEGEND[1:]]),
        seeds=sorted({seed for row in report.rows for seed in row.seeds}),
    )


def _sentences(remarks: Sequence[str]) -> str:
    return " ".join(f"{remark[0].upper()}{remark[1:]}." for remark in remarks)


def _headline(report: FxcyReport) -> str:
    gains = [line.gain for line in beside_published(report) if not line.published]
    if not gains:
        return "How many of the last layers are worth retraining."
    if len({signed(gain) for gain in gains}) == 1 and signed(gains[0]) == "0.0":
        return "One more layer retrained changes nothing."
    return f"One more layer retrained: {span(gains, signed)} points of accuracy."


def fxcy_document(report: FxcyReport) -> dict[str, Any]:
    """For --json and fxcy.json: the report, where more layers stop paying, and what it says."""
    knees = [
        {"source": each.source, "target": each.target, "backbone": each.backbone, "case": found}
        for each in comparisons(report.rows)
        if (found := knee(each.rows)) is not None
    ]
    return report.model_dump(mode="json") | {"knees": knees, "closing": closing(report)}


def write_fxcy_report(report: FxcyReport, output: Path) -> Path:
    """Writes fxcy.json, fxcy.csv, fxcy_device.csv, fxcy.svg, fxcy_curves.svg and fxcy.html into
    ``output``, each whole or not at all; none that would be empty. Returns the path of the page.
    Raises OSError."""
    from pipeline.report.picture import below_title

    pictures = fxcy_pictures(report)
    files = {
        "fxcy.csv": fxcy_csv(report),
        "fxcy.html": fxcy_page(report, pictures),
        "fxcy.json": json.dumps(fxcy_document(report), indent=2) + "\n",
    }
    if report.device_rows:
        files["fxcy_device.csv"] = flat_csv(DeviceRow, report.device_rows)
    for kind, name, title, remarks in _FILES:
        if kind in pictures:
            files[name] = below_title(title, remarks, pictures[kind])
    output.mkdir(parents=True, exist_ok=True)
    for stale in _ALL_FILES - files.keys():  # of an earlier run that had more to show
        (output / stale).unlink(missing_ok=True)
    for name, text in files.items():
        write_whole(output / name, text)
    return output / "fxcy.html"
