"""`har build`, `har emulate`, `har flash`: the firmware, and where it runs."""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.common import (
    ROOT,
    JsonOption,
    TargetOption,
    guarded,
    note,
    print_json,
    say,
    working,
)
from pipeline.cli.defaults import GENERATED, generated_or_default

if TYPE_CHECKING:
    from pipeline.sim.emulator import Emulator

GeneratedOption = Annotated[
    Path,
    typer.Option(help="Folder that `har emit` wrote.", show_default="firmware/generated"),
]

EmitOption = Annotated[
    Path | None,
    typer.Option(
        help="Bundle folder, or the name of one that ships (`har bundles`), to emit first; without "
        "it what was emitted last."
    ),
]


@guarded
def build(
    target: TargetOption = "mps2",
    generated: GeneratedOption = GENERATED,
    bundle: EmitOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to build in; build/firmware-TARGET if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the firmware for the emulated core or as a host process."""
    from pipeline.sim.build import build_firmware

    generated = generated_or_default(generated, bundle)
    with working(f"building for {target}"):
        image = build_firmware(target, generated, output or Path(f"build/firmware-{target}"))
    sizes = asdict(image.sizes)
    if as_json:
        print_json({"image": str(image.path), "target": image.target, **sizes})
    else:
        say(str(image.path))
        for name, size in sizes.items():
            say(f"  {name.removesuffix('_bytes').replace('_', ' '):<14} {size:>9,} bytes")


@guarded
def emulate(
    target: TargetOption = "mps2",
    generated: GeneratedOption = GENERATED,
    bundle: EmitOption = None,
    flash: Annotated[
        Path, typer.Option(help="File that holds the board's flash; made if missing.")
    ] = Path("build/flash.img"),
    listen: Annotated[
        int, typer.Option(min=0, max=65535, help="TCP port on 127.0.0.1; 0: any free one.")
    ] = 0,
    sensor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.csv",
            help="Play this as the board's own motion sensor: a data set of `har data list`, or a "
            "recording of your own.",
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Which subject's recordings.", show_default="first test subject"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Boot the firmware in the emulator and keep it running; prints the --port of it."""
    from pipeline.sim.build import build_firmware
    from pipeline.sim.emulator import launch

    generated = generated_or_default(generated, bundle)
    with tempfile.TemporaryDirectory() as folder:
        played, playing = _recording(sensor, subject, generated, Path(folder))
        with working(f"building for {target}"):
            image = build_firmware(target, generated, Path(f"build/firmware-{target}"))
        with launch(target, image.path, flash, port=listen, sensor=played) as emulator:
            if as_json:
                document = {"port": emulator.port, "target": target, "flash": str(flash)}
                print_json({**document, "sensor": playing})
            else:
                say(f"ready: {emulator.port}")
            if playing is not None:
                note(f"its motion sensor plays {playing}, again and again")
            _keep(emulator)


def _recording(
    sensor: str | None, subject: str | None, generated: Path, folder: Path
) -> tuple[Path | None, str | None]:
    """A file for `launch`, and what is in it."""
    from pipeline.core.errors import InputError
    from pipeline.sim.sensor_replay import model_rate_hz, recording_to_play, write_played

    if sensor is None:
        if subject is not None:
            raise InputError("--subject says whose recordings --sensor plays: give that, too")
        return None, None
    samples, playing = recording_to_play(sensor, subject, model_rate_hz(generated), note)
    write_played(folder / "sensor", samples)
    return folder / "sensor", playing


def _keep(emulator: Emulator) -> None:
    """Until Ctrl-C, or until the firmware ends."""
    note("Ctrl-C ends it; the flash file stays")
    with contextlib.suppress(KeyboardInterrupt):
        while emulator.running:
            time.sleep(0.2)
    if emulator.running:
        return
    note(f"the firmware ended unexpectedly: {emulator.log.strip()}")
    raise typer.Exit(3)


@guarded
def flash(
    port: Annotated[
        str | None, typer.Option(help="Serial port; found by USB id when left out.")
    ] = None,
    bundle: EmitOption = None,
    engine: Annotated[
        Literal["tflm", "compiled"], typer.Option(help="What runs the extractor.")
    ] = "tflm",
    as_json: JsonOption = False,
) -> None:
    """Build the firmware for the Nano 33 BLE Sense with PlatformIO and upload it."""
    from pipeline.board.sensor_text import describe
    from pipeline.sim.flash import flash as upload

    if bundle:
        generated_or_default(GENERATED, bundle)
    result = upload(ROOT, engine=engine, port=port, tell=note)
    if as_json:
        print_json(result.document())
        return
    hello = result.hello
    say(f"flashed {result.environment} to {result.port} in {result.seconds:.0f} s")
    say(f"model {hello.model_id.hex()}, firmware {hello.firmware_version}, {result.engine} engine")
    say(describe(result.sensor))
    say("next: har monitor")
