"""The model: the bundle, the C that was emitted from it, and whether it can fit."""

from __future__ import annotations

from pathlib import Path

from pipeline.bundle.bundle import MANIFEST, Bundle, load_bundle
from pipeline.bundle.footprint import least_footprint
from pipeline.core.errors import HarError
from pipeline.doctor.check import Check, failed
from pipeline.sim.pio import check_emitted

_MAKE = "make train quantize"


def check_bundle(directory: Path) -> tuple[Check, Bundle | None]:
    """Is there a whole bundle?"""
    if not (directory / MANIFEST).is_file():
        return Check("bundle", "yellow", f"none in {directory}", _MAKE), None
    try:
        bundle = load_bundle(directory)
    except HarError as error:
        return failed("bundle", error), None
    detail = f"model {bundle.model_id}, {len(bundle.activities)} activities, cut {bundle.cut}"
    return Check("bundle", "green", detail), bundle


def check_generated(generated: Path, bundle: Bundle | None) -> tuple[Check, str | None]:
    """Was the C that `har flash` builds emitted from this bundle? Gives the model id in it, too."""
    name = "emitted C"
    try:
        model_id = check_emitted(generated, "tflm")
    except HarError as error:
        return Check(name, "yellow", str(error).partition(";")[0], _MAKE), None
    if bundle is None:
        return Check(name, "yellow", f"model {model_id}, no bundle to compare it with", _MAKE), (
            model_id
        )
    if model_id != bundle.model_id:
        text = f"model {model_id}, the bundle's is {bundle.model_id}"
        return Check(name, "red", text, "har emit"), model_id
    return Check(name, "green", "made from this bundle"), model_id


def check_room(bundle: Bundle) -> Check:
    """Can the bundle fit the board at all? What is known without building: the board's own
    software, TFLite-Micro, the network, and what learning takes; our code comes on top."""
    needs = least_footprint(bundle)
    flash, ram = needs.flash_bytes, needs.ram_bytes
    detail = (
        f"at least {flash.used:,} of {flash.limit:,} bytes of flash, "
        f"{ram.used:,} of {ram.limit:,} of RAM (estimate)"
    )
    if not needs.fits:
        return Check("fit", "red", detail, "a smaller network, or `har quantize` with less to keep")
    return Check("fit", "green", f"{detail}; `har fit` measures it")
