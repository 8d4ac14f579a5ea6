"""`har parity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import JsonOption, TargetOption, guarded, print_json, say, working


@guarded
def parity(
    model: Annotated[Path, typer.Option(help="An int8 .tflite file.")],
    inputs: Annotated[int, typer.Option(min=1, help="How many inputs to compare.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the inputs.")] = 0,
    target: TargetOption = "mps2",
    as_json: JsonOption = False,
) -> None:
    """Compare our int8 engine with TFLite-Micro, byte by byte. Exit code 1 if they differ."""
    from pipeline.sim.parity import run_parity

    with working(f"running {inputs} inputs on {target} and in TFLite-Micro"):
        report = run_parity(model, inputs, seed, target)
    if as_json:
        print_json(report.document())
    else:
        verdict = "equal" if report.mismatches == 0 else f"{report.mismatches} DIFFER"
        say(f"{report.model} on {report.target}: {report.compared} inputs, {verdict}")
        say(f"  distinct outputs {report.distinct_outputs:>12,}")
        say(f"  MACs             {report.macs:>12,}")
        say(f"  flash            {report.flash_bytes:>12,} bytes: constants, code, kernels")
        say(f"  arena            {report.arena_bytes:>12,} bytes")
        if report.instructions is not None:
            say(f"  instructions     {report.instructions:>12,} an inference")
    if report.mismatches:
        raise typer.Exit(1)
