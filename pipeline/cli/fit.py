"""`har fit`, `har bench`, `har parity`: what a bundle takes of a board, what it costs to run, and
whether it computes what TFLite-Micro does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from pipeline.cli.defaults import BUNDLE, bundle_or_default
from pipeline.cli.train import BundleOption
from pipeline.cli.views.network_cost import show_network_cost
from pipeline.core.errors import CheckFailed, InputError

if TYPE_CHECKING:
    from pipeline.sim.bench import Bench

BuildOption = Annotated[Path, typer.Option(help="Folder to build in.")]


@guarded
def fit(
    bundle: BundleOption = BUNDLE,
    engine: Annotated[
        str, typer.Option(help="tflm (what `har flash` builds) or compiled.")
    ] = "tflm",
    build_directory: BuildOption = Path("build/fit"),
    as_json: JsonOption = False,
) -> None:
    """Check before flashing whether a bundle fits the board. Exit code 1 if it does not."""
    from pipeline.bundle.footprint import fit_bundle

    bundle = bundle_or_default(bundle)
    with working("building and counting on the emulated core"):
        result = fit_bundle(bundle, engine, build_directory)
    if as_json:
        print_json(result.document())
    else:
        flash, ram, head = result.flash_bytes, result.ram_bytes, result.stored_head_bytes
        learning = result.learning_ram_bytes
        say(f"{'fits' if result.fits else 'DOES NOT FIT'} {result.board}, engine {result.engine}")
        say(f"  flash   {flash.used:>9,} of {flash.limit:,} bytes (estimate)")
        say(f"  RAM     {ram.used:>9,} of {ram.limit:,} bytes (estimate)")
        say(
            f"  learn   {learning.used:>9,} bytes of RAM for learning, {result.replay_ram_bytes:,} "
            f"of them labelled windows (aim: {learning.limit:,})"
        )
        say(f"  ship    {result.exemplar_flash_bytes:>9,} bytes of exemplars, in flash")
        say(f"  head    {head.used:>9,} of {head.limit:,} bytes to keep what is learned, twice")
        say(f"  stack   {result.stack_bytes:>9,} bytes (the compiled engine, on the emulator)")
        say(
            f"  latency {result.latency_ms:>9.2f} ms, {result.energy_uj:.1f} uJ a prediction "
            "(by a model of the core's cycles)"
        )
        if (other := result.other) is not None:
            say(
                f"  other   engine {other.engine} (make flash ENGINE={other.engine}): "
                f"{other.flash_bytes:,} bytes of flash, {other.ram_bytes:,} of RAM, "
                f"{other.latency_ms:.2f} ms, {other.energy_uj:.1f} uJ"
            )
        if result.remedy:
            say(f"  {result.remedy}")
    if not result.fits:
        raise typer.Exit(1)


@guarded
def bench(
    bundle: BundleOption = BUNDLE,
    target: TargetOption = "mps2",
    build_directory: BuildOption = Path("build/bench"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit code 1 if a figure is more than 2 % over its budget."),
    ] = False,
    write_budgets: Annotated[
        bool, typer.Option("--write-budgets", help="Take the figures as the network's budget.")
    ] = False,
    budgets: Annotated[
        Path, typer.Option(help="File of budgets.", show_default="firmware/budgets.json")
    ] = ROOT / "firmware" / "budgets.json",
    model: Annotated[
        Path | None,
        typer.Option(help="An int8 .tflite file instead of a bundle: its engine alone."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count instructions, cycles, flash and RAM: of the engine, of learning at each cut."""
    from pipeline.bundle.budgets import bench_bundle

    if check and write_budgets:
        raise InputError("--check compares with the budgets and --write-budgets writes them: one")
    if model is not None:
        if check or write_budgets or target != "mps2":
            raise InputError("--model is counted on target mps2 and has no budget; drop the others")
        _bench_model(model, as_json=as_json)
        return
    bundle = bundle_or_default(bundle)
    with working(f"building and counting on {target}"):
        result = bench_bundle(bundle, target, build_directory)
    if write_budgets or check:
        _compare_with_budget(bundle, result, budgets, write=write_budgets)
    if as_json:
        print_json(result.document())
        return
    note(f"model {result.model_id} on {result.target}, largest of {result.repeats}")
    for name, count in (
        ("engine", result.engine),
        ("head", result.head),
        ("prediction", result.prediction),
        ("update", result.update),
    ):
        say(f"{name:<11} {count:>12,} {result.unit}")
    if result.inference is None or result.learning is None:
        return
    say("")
    show_network_cost(result.inference)
    say("\nlearning      update instr.  per MAC   predict instr.    RAM bytes  flash bytes")
    for cut, cost in result.learning.heads.items():
        per_mac = cost.update_instructions / cost.training_macs
        say(
            f"{cut:<11} {cost.update_instructions:>15,} {per_mac:>8.2f} "
            f"{cost.predict_instructions:>16,} {cost.ram_bytes:>12,} {cost.flash_bytes:>12,}"
        )


def _bench_model(path: Path, *, as_json: bool) -> None:
    from pipeline.compiler import compile_model
    from pipeline.sim.network_cost import network_cost
    from pipeline.sim.parity import read_tflite

    with working(f"building and counting {path.name}"):
        cost = network_cost(str(path), compile_model(read_tflite(path)))
    if as_json:
        print_json(asdict(cost))
    else:
        show_network_cost(cost)


def _compare_with_budget(directory: Path, result: Bench, path: Path, *, write: bool) -> None:
    """Check the figures against the budget of the bundle's network, or make them its budget."""
    from pipeline.bundle import load_bundle
    from pipeline.bundle.budgets import (
        budget_line,
        check_budgets,
        figures_of,
        network_of,
        write_budget,
    )

    network, figures = network_of(load_bundle(directory)), figures_of(result)
    if write:
        write_budget(network, figures, path)
        note(f"{path}: the budget of {network} is written")
        return
    found = check_budgets(network, figures, path)
    for line in found.worse:
        note(f"worse: {line}")
    if found.worse:
        raise CheckFailed(f"{network} is over its budget by more than 2 %")
    for line in found.better:
        note(f"better: {line}")
    if found.better:
        note(f"the line to commit in {path.name}:\n{budget_line(network, figures)}")
    else:
        note(f"{network} is within its budget")


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
        print_json(asdict(report))
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
