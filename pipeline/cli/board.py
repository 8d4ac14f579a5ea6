"""`har stream`, `monitor`, `record`, `learn` and `head`: a session with a board."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import (
    JsonOption,
    guarded,
    note,
    print_json,
    progress_bar,
    require_writable,
    say,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.board.client import Client
    from pipeline.board.playback import Playback, UpdateResult
    from pipeline.board.recording import Taken
    from pipeline.cli.views.monitor import View
    from pipeline.protocol.messages import HeadState

    Show = Callable[[UpdateResult], None]
    Updates = tuple[str, int, Callable[[Show], list[UpdateResult]]]

PortOption = Annotated[
    str | None,
    typer.Option(
        help="Serial port (/dev/ttyACM0, COM3) or URL (socket://HOST:PORT).",
        show_default="the board on USB",
    ),
]
DatasetOption = Annotated[
    str | None, typer.Option(help="A name from `har data list`.", show_default="hapt")
]
SplitOption = Annotated[
    str | None, typer.Option(help="test, train, validation or all.", show_default="test")
]
SubjectOption = Annotated[str | None, typer.Option(help="Only this subject.")]
CsvOption = Annotated[Path | None, typer.Option(help="A recording of your own instead.")]


@guarded
def stream(
    port: PortOption = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    subject: SubjectOption = None,
    csv: CsvOption = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many windows.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Stream recorded samples to a board and compare its predictions with the labels."""
    from pipeline.board.client import Client
    from pipeline.board.playback import replay, stretches
    from pipeline.data.selection import select

    with Client.open(port) as client:
        board = client.hello()
        selection = select(dataset, split, subject, csv, note)
        what = stretches(selection.recordings, client, windows=windows)
        samples = sum(len(stretch.samples) for stretch in what)
        with progress_bar() as show:

            def on_stretch(result: Playback) -> None:
                right = "" if result.scores is None else f", {result.scores.accuracy:.1%} right"
                shown = f"{len(result.answers)} predictions{right}"
                show(shown, result.samples_sent / samples)

            result = replay(client, what, on_stretch=on_stretch)
    document = {
        "port": client.port,
        "model_id": board.model_id.hex(),
        "engine": board.engine.name.lower(),
        "target": board.target.name.lower(),
        "dataset": selection.source,
        "split": selection.split,
        "subjects": list(selection.subjects),
        **result.document(),
    }
    if as_json:
        print_json(document)
    else:
        _print_summary(document, result)


def _print_summary(document: dict[str, Any], result: Playback) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.core.console import Console

    console = Console()
    if document["accuracy"] is not None:
        names = document["activities"]
        title = f"{escape(document['dataset'])} on {escape(document['port'])}"
        table = Table("shown \\ seen", title=title, title_justify="left")
        for name in names:
            table.add_column(escape(name), justify="right")
        for row, (name, counts) in enumerate(zip(names, document["confusion"], strict=True)):
            cells = [
                f"[bold green]{count}[/]" if row == column else str(count or "")
                for column, count in enumerate(counts)
            ]
            table.add_row(escape(name), *cells)
        console.print(table)
        for subject, share in document["subject_accuracy"].items():
            console.print(f"{escape(subject)}  {share:.1%}")
        console.print(f"accuracy {document['accuracy']:.1%} of {len(result.answers)} windows")
    else:
        for answer in result.answers:
            at = answer.prediction
            shown, share = at.shown(document["activities"])
            console.print(f"{at.end_index:8d}  {escape(shown)} {share:.2f}")
    console.print(
        f"{result.samples_sent} samples sent, {result.samples_lost} lost; "
        f"{len(result.answers)} predictions, {result.predictions_missing} missing; "
        f"{result.saturated} values beyond the sensor's range",
        soft_wrap=True,
    )


# ---- monitor -------------------------------------------------------------------------------------


@guarded
def monitor(
    port: PortOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many predictions.")
    ] = None,
) -> None:
    """Show predictions as they arrive: live bars in a terminal, else one line each. Ctrl-C ends."""
    from contextlib import closing

    from pipeline.board.ports import find_board
    from pipeline.cli.views.monitor import watch
    from pipeline.core.errors import InputError

    if as_json and as_csv:
        raise InputError("--json or --csv, not both")
    board = find_board(port)
    try:
        with (
            _view(board, as_json, as_csv) as view,
            closing(watch(board, view.tell)) as sightings,
        ):
            for sighting in islice(sightings, count):
                view.show(sighting)
    except KeyboardInterrupt:
        return  # the usual way to end it
    except BrokenPipeError:
        # Whoever read our lines has enough; do not let the interpreter flush into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _view(port: str, as_json: bool, as_csv: bool) -> AbstractContextManager[View]:
    from pipeline.cli.views import monitor as views

    if as_json:
        return views.lines_view(sys.stdout, views.json_line)
    if as_csv:
        return views.lines_view(sys.stdout, views.csv_line, views.CSV_HEADER)
    if sys.stdout.isatty():
        return views.bars_view(port)
    return views.lines_view(sys.stdout, views.text_line)


# ---- record --------------------------------------------------------------------------------------

SECONDS_MAX = 36_000.0
COLUMNS = "ax,ay,az,gx,gy,gz"


@guarded
def record(
    activity: Annotated[
        str, typer.Option(help="Activity that you do meanwhile: a name of 1 to 31 bytes.")
    ],
    seconds: Annotated[
        float, typer.Option(min=1.0, max=SECONDS_MAX, help="How long; Ctrl-C ends it earlier.")
    ] = 60.0,
    port: PortOption = None,
    output: Annotated[Path, typer.Option(help="Folder for the file.")] = Path("data/recordings"),
    subject: Annotated[str, typer.Option(help="Who wears the board.")] = "me",
    placement: Annotated[
        str, typer.Option(help="Where on the body it is worn: waist, wrist, pocket, ...")
    ] = "",
    countdown: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help="Seconds to wait before recording.")
    ] = 3.0,
    from_serial: Annotated[
        str | None,
        typer.Option(metavar="PORT", help="Any sketch on this port that prints lines of numbers."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="With --from-serial: what a line holds, in order; also time, time_ms, time_us, "
            "and - for a column to skip.",
            show_default=COLUMNS,
        ),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(help="With --from-serial: g, m/s2 or mg, then rad/s or deg/s: g,deg/s."),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option(min=2400, help="With --from-serial: bits a second.", show_default="115200"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=10.0,
            max=2000.0,
            help="With --from-serial: lines a second.",
            show_default="measured",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Record what the board's own sensor measures, labelled, as CSV.

    With --from-serial the board needs no firmware of ours: any sketch that prints six numbers a
    line will do.
    """
    from pipeline.board.client import Client
    from pipeline.board.ports import find_board
    from pipeline.board.recording import Plan
    from pipeline.board.recording import record as take
    from pipeline.board.serial_lines import Layout, record_lines
    from pipeline.board.transport import BAUD_RATE, open_port
    from pipeline.cli.views.record import trace_view
    from pipeline.core.console import Console
    from pipeline.core.errors import InputError

    plan = Plan(activity, seconds, output, subject, countdown, placement)
    layout = None
    if from_serial is None:
        if (columns, units, baud, rate) != (None,) * 4:
            raise InputError("--columns, --units, --baud and --rate go with --from-serial PORT")
    elif port is not None:
        raise InputError("--port or --from-serial, not both")
    elif units is None:
        raise InputError(
            "--from-serial needs --units, what the sketch prints: g,deg/s with Arduino's libraries "
            "for both revisions of the Nano 33 BLE Sense"
        )
    else:
        layout = Layout.of(columns or COLUMNS, units)
    require_writable(output)
    console = Console(stderr=True)
    name = find_board(from_serial or port)
    with contextlib.ExitStack() as opened:
        if layout is None:
            client = opened.enter_context(Client.open(name))
            run: Callable[..., Taken] = functools.partial(take, client, plan)
        else:
            lines = opened.enter_context(contextlib.closing(open_port(name, baud or BAUD_RATE)))
            run = functools.partial(record_lines, lines, plan, layout, stated_hz=rate)
        if console.is_terminal:
            taken = run(on_progress=opened.enter_context(trace_view(activity, seconds, console)))
        else:
            note(f"recording {activity!r} from {name} for {seconds:g} s")
            taken = run()
    for doubt in taken.doubts:
        note(f"har: {doubt}")
    if as_json:
        print_json(taken.document())
    elif taken.path is not None:
        at = "" if layout is None else f" at {taken.rate_hz:g} Hz"
        say(
            f"{taken.path}: {taken.seconds:.1f} s, {taken.samples} samples{at}, "
            f"{taken.lost_samples} lost\n"
            f"next: har train --data {output}"
        )
    if taken.interrupted is not None:
        kept = "nothing was recorded" if taken.path is None else "kept what came before"
        note(f"har: {taken.interrupted}; {kept}")
        raise typer.Exit(taken.interrupted_exit_code)
    if taken.refused is not None:
        note(f"har: {taken.refused}; `har train` will refuse it, too: put the file away")
        raise typer.Exit(1)


# ---- learn ---------------------------------------------------------------------------------------

LAST_SECONDS_MAX = 60.0


@guarded
def learn(
    port: PortOption = None,
    activity: Annotated[
        str | None, typer.Option(help="Activity to label; by default the recording's own labels.")
    ] = None,
    new: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The same, for an activity that is new to the model."),
    ] = None,
    csv: CsvOption = None,
    dataset: DatasetOption = None,
    subject: SubjectOption = None,
    windows: Annotated[int, typer.Option(min=1, help="Labelled windows per activity.")] = 1,
    last: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS",
            help="What you have just done: all windows of the last seconds, 10s at most.",
        ),
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Save to flash when done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Label windows, of a recording or of what you do now, and show what the board learned.

    With --activity or --new alone, the board's own motion sensor is used.
    """
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document
    from pipeline.core.errors import InputError
    from pipeline.core.names import check_name

    live = csv is None and subject is None and dataset is None
    if csv is None and subject is None and not (live and (activity or new)):
        raise InputError(
            "choose the windows: --subject NAME of the data set, --csv FILE, or what you do now: "
            "--activity NAME"
        )
    if activity is not None and new is not None:
        raise InputError("give --activity, or --new for an activity new to the model, not both")
    if new is not None:
        new = new.strip()
        check_name(new)
    seconds = None if last is None else _seconds(last)
    if seconds is not None and (not live or windows != 1):
        raise InputError("--last takes the windows that the board keeps: leave the others out")
    with Client.open(port) as client:
        client.hello()
        if activity is not None:
            client.activity_index(activity)
        shown = activity or new
        if seconds is not None:
            source, count, teach_all = _recent(client, str(shown), seconds)
        elif live:
            source, count, teach_all = _live(client, str(shown), windows)
        else:
            source, count, teach_all = _recorded(client, dataset, subject, csv, shown, windows)
        with _note_unsaved(client), _progress(count) as show:
            if new is not None and new not in client.board.activities:
                client.name(new)
            results = teach_all(show)
            state = client.save() if save else client.head()
        head = head_document(client, state)
    document = {
        "dataset": source,
        "subject": subject,
        "labelled_windows": len(results),
        "lessons": [
            {
                "activity": result.activity,
                "outcome": result.learned.outcome.name.lower(),
                "serves": result.learned.serves,
                "probability_before": result.learned.probability_before,
                "probability_after": result.learned.probability_after,
            }
            for result in results
        ],
        "saved": save,
        **head,
    }
    if as_json:
        print_json(document)
    else:
        _print(document)


def _seconds(text: str) -> float:
    """ "10s" or "10". Raises InputError."""
    from pipeline.core.errors import InputError

    try:
        seconds = float(text.strip().removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= LAST_SECONDS_MAX:
        raise InputError(f"--last {text}: give seconds, up to {LAST_SECONDS_MAX:g}, like 10s")
    return seconds


def _recent(client: Client, activity: str, seconds: float) -> Updates:
    """Windows that the board keeps of what was done just before."""
    from pipeline.board.playback import recent_numbers, teach_recent

    numbers = recent_numbers(client, seconds)
    return (
        f"the last {seconds:g} s",
        len(numbers),
        lambda show: teach_recent(client, activity, numbers, on_update=show),
    )


def _live(client: Client, activity: str, windows: int) -> Updates:
    """Windows of what the board's own sensor measures from now on."""
    from pipeline.board.playback import teach_live

    client.require_sensor()
    note(f"keep {activity} going: the board labels what it measures from now on")
    return (
        "the board's own sensor",
        windows,
        lambda show: teach_live(client, activity, windows, on_update=show),
    )


def _recorded(
    client: Client,
    dataset: str | None,
    subject: str | None,
    csv: Path | None,
    shown: str | None,
    windows: int,
) -> Updates:
    """Windows of a recording that shows the activity `shown`; None: by its labels."""
    from pipeline.board.playback import labelled_windows, stretches, teach
    from pipeline.data.selection import as_activity, select

    selection = select(dataset, None, subject, csv, note)
    if shown is not None:
        selection = as_activity(selection, shown)
    what = stretches(selection.recordings, client, new=shown)
    labelled = labelled_windows(what, client, per_activity=windows)
    return (
        selection.source,
        len(labelled),
        lambda show: teach(client, labelled, on_update=show),
    )


@contextmanager
def _note_unsaved(client: Client) -> Iterator[None]:
    """Says what is left unsaved when the block ends early."""
    from pipeline.cli.views.head import unsaved_note
    from pipeline.core.errors import HarError

    before = client.head()
    try:
        yield
    except (KeyboardInterrupt, HarError):
        if left := unsaved_note(client, before):
            note(left)
        raise


@contextmanager
def _progress(windows: int) -> Iterator[Callable[[UpdateResult], None]]:
    """A bar on stderr that grows with the windows labelled; silent where stderr is no terminal."""
    from pipeline.cli.views.head import outcome_text

    with progress_bar() as bar:
        count = itertools.count(1)

        def show(result: UpdateResult) -> None:
            learned, done = result.learned, next(count)
            text = (
                f"{done}/{windows} {result.activity} {learned.probability_before:.2f} -> "
                f"{learned.probability_after:.2f}, {outcome_text(learned.outcome.name)}"
            )
            bar(text, done / windows)

        yield show


def _print(document: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.cli.views.head import outcome_text
    from pipeline.core.console import Console

    console = Console()
    table = Table("activity", "label", "before", "after")
    for lesson in document["lessons"]:
        table.add_row(
            escape(lesson["activity"]),
            outcome_text(lesson["outcome"]),
            f"{lesson['probability_before']:.2f}",
            f"{lesson['probability_after']:.2f}",
        )
    console.print(table)
    kept = (
        "saved" if document["saved"] else "not saved: `har head save` keeps it through power loss"
    )
    console.print(f"updates since the factory head: {document['updates']}; {kept}")
    console.print(f"active: {document['serving']}", soft_wrap=True)


# ---- head ----------------------------------------------------------------------------------------

head_app = typer.Typer(
    name="head",
    help="The learned head of a board: show, save, undo, pull, push, reset, rollback.",
    no_args_is_help=True,
)

FileArgument = Annotated[Path, typer.Argument(help="A .head file.")]


@head_app.command()
@guarded
def show(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Show which head is active, what it has learned, and what is stored."""
    _show(port, as_json, lambda client: client.head())


@head_app.command()
@guarded
def save(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Save the current head to flash, where it survives power loss."""
    _show(port, as_json, lambda client: client.save())


@head_app.command()
@guarded
def undo(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Undo the last label. Only the last one can be undone, and once."""
    _show(port, as_json, lambda client: client.undo())


@head_app.command()
@guarded
def pull(file: FileArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Copy the current head, saved or not, to a file with checksums."""
    from pipeline.board.headfile import write_head

    def copy(client: Client) -> HeadState:
        payload, state = client.pull(), client.head()
        write_head(file, payload, model_id=client.board.model_id, sequence=state.sequence)
        return state

    _show(port, as_json, copy, file)


@head_app.command()
@guarded
def push(file: FileArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Load a head from a file onto the board and save it. A head of another model is refused."""
    from pipeline.board.headfile import read_head

    read_head(file)  # a bad file is refused before the port is touched

    def load(client: Client) -> HeadState:
        return client.push(read_head(file, model_id=client.board.model_id).payload)

    _show(port, as_json, load, file)


@head_app.command()
@guarded
def reset(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Return to the factory head; `har head rollback` restores what was saved."""
    _show(port, as_json, lambda client: client.head_reset())


@head_app.command()
@guarded
def rollback(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Drop unsaved labels; if there are none, return to the record before (again: redo)."""
    _show(port, as_json, lambda client: client.head_rollback())


def _show(
    port: str | None,
    as_json: bool,
    ask: Callable[[Client], HeadState],
    file: Path | None = None,
) -> None:
    """Print the state that ``ask`` gets of the board, and the ``file`` that was read or written."""
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document, head_table
    from pipeline.core.console import Console

    with Client.open(port) as client:
        document = head_document(client, ask(client))
    if file is not None:
        document["file"] = str(file)
    if as_json:
        print_json(document)
    else:
        Console().print(head_table(document))
