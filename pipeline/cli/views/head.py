"""A board's learned head as text: what it learned, whether it is active, what is stored."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import HarError
from pipeline.protocol.messages import HeadSource

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.board.client import Client
    from pipeline.protocol.messages import HeadState

_OUTCOMES = {
    "learned": "learned",
    "held_back": "holdout",
    "undone": "undone by the guard",
}


def head_document(client: Client, state: HeadState) -> dict[str, Any]:
    """For --json: `state`, which `client` has just reported, with the activities by name. Times are
    Unix times, null where unknown; `held_accuracy` is null while the holdout is empty."""
    board = client.board
    return {
        "port": client.port,
        "model_id": board.model_id.hex(),
        "source": state.source.name.lower(),
        "serves": state.serves,
        "serving": active_head(state),
        "unsaved": state.unsaved,
        "can_undo": state.can_undo,
        "sequence": state.sequence,
        "records": state.records,
        "updates": state.updates,
        "labels": dict(zip(board.activities, state.labels, strict=True)),
        "taught": list(state.taught),
        "rows": state.rows,
        "since_s": state.since_s or None,
        "saved_s": state.saved_s or None,
        "held_windows": state.held,
        "held_right": state.held_right,
        "held_accuracy": state.held_right / state.held if state.held else None,
        **asdict(state.guard),
        "evidence": state.evidence,
        "evidence_missing": state.evidence_missing,
        "replay_windows": state.stored,
        "replay_capacity": state.capacity,
        "head_crc": f"{state.head_crc:08x}",
    }


def active_head(state: HeadState) -> str:
    """Which head is active, and if it is the factory head, why."""
    if state.serves:
        return "the learned head"
    if state.source == HeadSource.SHIPPED:
        return "the factory head: nothing was learned"
    if state.updates == 0:
        return "the factory head: no label has changed the learned one"
    if state.evidence_missing:
        mistakes = f"{state.evidence_missing} more mistake{_s(state.evidence_missing)}"
        return f"the factory head, until {mistakes} of its own (of {state.evidence})"
    return (
        f"the factory head: of {state.guard.judged} labels it got {state.guard.shipped_right} "
        f"right, the learned one {state.guard.learned_right}"
    )


def outcome_text(outcome: str) -> str:
    """What a label did, by the name of its `Outcome`."""
    return _OUTCOMES[outcome.lower()]


def head_table(document: dict[str, Any]) -> Table:
    """The same for a terminal; `file`, if the document has one, is shown as well."""
    from rich.markup import escape
    from rich.table import Table

    learned = document["source"] == "learned"
    taught = document["taught"]
    labels = [
        f"{escape(name)} {count}{' (added)' if name in taught else ''}"
        for name, count in document["labels"].items()
        if count or name in taught
    ]
    free = document["rows"] - len(document["labels"])
    rows = {
        "head": ("learned" if learned else "factory") + _unsaved(document),
        "active": document["serving"],
        "labels": ", ".join(labels) or "none",
        "updates": f"{document['updates']}, {document['undone']} undone by the guard",
        "since": _local(document["since_s"]) if learned else "-",
        "saved": _local(document["saved_s"]) if learned and document["records"] else "-",
        "holdout": _share(document["held_right"], document["held_windows"], "windows right"),
        "judged": f"of {document['judged']} labels the factory head got "
        f"{document['shipped_right']} right, the learned one {document['learned_right']}",
        "replay": f"{document['replay_windows']} of {document['replay_capacity']} windows stored",
        "room": f"for {free} more activit{'y' if free == 1 else 'ies'}",
        "undo": "the last label can be undone" if document["can_undo"] else "-",
        "stored": f"{document['records']} record{_s(document['records'])}, "
        f"sequence {document['sequence']}",
        "model": document["model_id"],
        "checksum": document["head_crc"],
    }
    if "file" in document:
        rows["file"] = escape(document["file"])
    table = Table.grid(padding=(0, 2))
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def labels_given(state: HeadState) -> int:
    """Of all activities together."""
    return sum(state.labels)


def unsaved_note(client: Client, before: HeadState) -> str | None:
    """What to do about labels given since the board said `before`, when a command ends early. None
    where there is nothing to say, or no board to ask."""
    try:
        state = client.head()
    except HarError:
        return None
    if not state.unsaved:
        return None
    count = labels_given(state) - labels_given(before)
    if count < 1 and state.taught == before.taught:
        return None
    new = "".join(f" and {name!r}" for name in state.taught[len(before.taught) :])
    back = "rollback" if state.sequence else "reset"
    return (
        f"har: {count} label{_s(count)}{new} not saved: `har head save --port {client.port}` keeps "
        f"what was learned, `har head {back} --port {client.port}` drops it"
    )


def _unsaved(document: dict[str, Any]) -> str:
    return ", not saved" if document["unsaved"] else ""


def _local(time_s: int | None) -> str:
    """Local time."""
    if time_s is None:
        return "unknown"
    return datetime.fromtimestamp(time_s).strftime("%Y-%m-%d %H:%M")


def _share(right: int, of: int, what: str) -> str:
    return f"{right} of {of} {what} ({right / of:.0%})" if of else "none yet"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
