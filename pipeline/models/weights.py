"""Weights as plain .npz files: no pickle, byte-identical for identical values."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import InputError


def save_weights(path: Path, arrays: dict[str, Any]) -> None:
    """Writes arrays under their names, aside and then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    try:
        with aside.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def load_weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Reads what `save_weights` wrote; InputError if it is missing, damaged or not finite."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged weights file ({error}); write it again") from None
    for name, values in arrays.items():
        if not np.all(np.isfinite(values)):
            raise InputError(f"{path}: {name} holds NaN or infinity; train again")
    return arrays


def model_arrays(model: Any) -> dict[str, np.ndarray[Any, Any]]:
    """All variables of a tf_keras model by name (``layer/variable``)."""
    return {
        variable.name.removesuffix(":0"): np.asarray(variable.numpy()) for variable in model.weights
    }


def set_model_arrays(model: Any, arrays: dict[str, np.ndarray[Any, Any]], source: str) -> None:
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
