"""`har build` and `har emulate`."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import ROOT, JsonOption, TargetOption, guarded, note, print_json, working

GeneratedOption = Annotated[Path, typer.Option(help="Folder that `har emit` wrote.")]
GENERATED = ROOT / "firmware" / "generated"


@guarded
def build(
    target: TargetOption = "mps2",
    generated: GeneratedOption = GENERATED,
    output: Annotated[
        Path | None, typer.Option(help="Folder to build in; build/firmware-TARGET if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the firmware for the emulated core or as a host process."""
    from pipeline.device import build_firmware

    with working(f"building for {target}"):
        image = build_firmware(target, generated, output or Path(f"build/firmware-{target}"))
    sizes = asdict(image.sizes)
    if as_json:
        print_json({"image": str(image.path), "target": image.target, **sizes})
    else:
        print(image.path)
        for name, size in sizes.items():
            print(f"  {name.removesuffix('_bytes').replace('_', ' '):<14} {size:>9,} bytes")


@guarded
def emulate(
    target: TargetOption = "mps2",
    generated: GeneratedOption = GENERATED,
    flash: Annotated[
        Path, typer.Option(help="File that holds the board's flash; made if missing.")
    ] = Path("build/flash.img"),
    listen: Annotated[
        int, typer.Option(min=0, max=65535, help="TCP port on 127.0.0.1; 0: any free one.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Boot the firmware and keep it running; prints the port that every command takes."""
    from pipeline.device import build_firmware, launch

    with working(f"building for {target}"):
        image = build_firmware(target, generated, Path(f"build/firmware-{target}"))
    with launch(target, image.path, flash, port=listen) as emulator:
        if as_json:
            print_json({"port": emulator.port, "target": target, "flash": str(flash)})
        else:
            print(f"ready: {emulator.port}", flush=True)
        note("Ctrl-C ends it; the flash file stays")
        with contextlib.suppress(KeyboardInterrupt):
            while emulator.running:
                time.sleep(0.2)
        if emulator.running:
            return
        note(f"the firmware ended by itself: {emulator.log.strip()}")
    raise typer.Exit(3)
