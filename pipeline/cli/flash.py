"""`har flash`: the firmware onto the real board."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from pipeline.cli.common import ROOT, JsonOption, guarded, note, print_json, say


@guarded
def flash(
    port: Annotated[
        str | None, typer.Option(help="Serial port; found by USB id when left out.")
    ] = None,
    engine: Annotated[
        Literal["tflm", "compiled"], typer.Option(help="What runs the extractor.")
    ] = "tflm",
    as_json: JsonOption = False,
) -> None:
    """Build the firmware for the Nano 33 BLE Sense with PlatformIO and upload it."""
    from pipeline.board.sensor_text import describe
    from pipeline.sim.flash import flash as upload

    result = upload(ROOT, engine=engine, port=port, tell=note)
    if as_json:
        print_json(result.document())
        return
    hello = result.hello
    say(f"flashed {result.environment} to {result.port} in {result.seconds:.0f} s")
    say(f"model {hello.model_id.hex()}, firmware {hello.firmware_version}, {result.engine} engine")
    say(describe(result.sensor))
    say("next: har monitor")
