"""Weights as plain .npz files (no pickle, byte-identical for identical values) and their cards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from pipeline.core.errors import InputError
from pipeline.core.files import locked, read_npz, write_npz, write_whole
from pipeline.core.types import Array


def load_weights(path: Path) -> dict[str, Array]:
    """Read arrays of numbers; InputError if the file is missing, damaged or not finite."""
    try:
        arrays = read_npz(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    for name, values in arrays.items():
        if values.dtype.kind not in "biuf" or not np.all(np.isfinite(values)):
            raise InputError(f"{path}: {name} is not all finite numbers; train again")
    return arrays


def load_sealed_weights(path: Path, sha256: str, card: str, remedy: str) -> dict[str, Array]:
    """As `load_weights`, for the file whose hash ``card`` holds: a changed file is not opened.

    Raises:
        InputError: missing, or not the file of ``card``; ``remedy`` says what to do.
    """
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {remedy}") from None
    if found != sha256:
        raise InputError(f"{path}: not the weights that {card} describes; {remedy}")
    return load_weights(path)


def model_arrays(model: Any) -> dict[str, Array]:
    """All variables of a tf_keras model by name (``layer/variable``)."""
    return {
        variable.name.removesuffix(":0"): np.asarray(variable.numpy()) for variable in model.weights
    }


def set_model_arrays(model: Any, arrays: dict[str, Array], source: str) -> None:
    """Fills every variable of ``model`` from ``arrays``; InputError if one is missing or of
    another shape (``source`` is named in the message)."""
    for variable in model.weights:
        name = variable.name.removesuffix(":0")
        if name not in arrays:
            raise InputError(f"{source}: no weights for {name}; made for another network?")
        if tuple(arrays[name].shape) != tuple(variable.shape):
            raise InputError(
                f"{source}: {name} has shape {arrays[name].shape}, the network wants "
                f"{tuple(variable.shape)}"
            )
        variable.assign(arrays[name])


# ---- cards ---------------------------------------------------------------------------------------

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


def save_sealed(model: Any, path: Path, card_path: Path, card_for: Callable[[str], Card]) -> Card:
    """Write the variables of a tf_keras model to ``path``, then the card that ``card_for`` makes of
    their SHA-256: both of one run, also where two runs save at once.

    Raises:
        ExternalError: the disk is full, or nothing may be written there.
    """
    with locked(path.with_suffix("")):
        write_npz(path, model_arrays(model))
        card = card_for(hashlib.sha256(path.read_bytes()).hexdigest())
        write_card(card_path, card)
    return card
