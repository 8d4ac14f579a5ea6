"""Cards: small JSON files that describe the binary file of the same name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.core.errors import InputError
from pipeline.core.files import write_whole

Card = TypeVar("Card", bound=BaseModel)


def read_card(kind: type[Card], path: Path, remedy: str) -> Card:
    """Reads and checks a card. InputError names the file, the field and the ``remedy``."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {remedy}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise InputError(f"{path}: {where}: {first['msg']}; {remedy}") from None


def write_card(path: Path, card: BaseModel) -> None:
    """Write a card, whole or not at all."""
    write_whole(path, json.dumps(card.model_dump(mode="json"), indent=2) + "\n")
