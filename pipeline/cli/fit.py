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
from pipeline.cli.defaults import BUNDLE, bundle_or_default, extractor_of
from pipeline.cli.train import BundleOption
from pipeline.cli.views.network_cost import show_network_cost
from pipeline.core.errors import CheckFailed, InputError

if TYPE_CHECKING:
    from pipeline.sim.bench import Bench
    from pipeline.sim.parity import ParityReport, StreamingReport

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
        typer.Option(help="A .tflite of int8 layers instead of a bundle: its engine alone."),
    ] = None,
    streaming: Annotated[
        bool, typer.Option("--streaming", help="Count an answer every few samples instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Count instructions, cycles, flash and RAM: of the engine, of learning at each cut."""
    from pipeline.bundle.budgets import bench_bundle

    if check and write_budgets:
        raise InputError("--check compares with the budgets and --write-budgets writes them: one")
    if model is not None or streaming:
        if check or write_budgets or target != "mps2":
            raise InputError(
                "--model and --streaming are counted on target mps2 and have no budget: "
                "drop the other options"
            )
        model = extractor_of(bundle_or_default(bundle)) if model is None else model
        (_bench_streaming if streaming else _bench_model)(model, as_json=as_json)
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


def _bench_streaming(path: Path, *, as_json: bool) -> None:
    from pipeline.sim.network_cost import streaming_costs
    from pipeline.sim.parity import read_tflite

    with working(f"building and counting {path.name} at each hop"):
        costs = streaming_costs(read_tflite(path))
    if as_json:
        print_json([asdict(cost) for cost in costs])
        return
    columns = ("instructions", 13), ("model cycles", 13), ("of a window", 12), ("RAM bytes", 10)
    say(" hop " + " ".join(f"{name:>{width}}" for name, width in columns))
    for cost in costs:
        say(
            f"{cost.hop:>4} {cost.instructions:>13,} {cost.cycles_model:>13,} "
            f"{100 * cost.share_of_window:>10.1f} % {cost.ram_bytes:>10,}"
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
    model: Annotated[
        Path | None,
        typer.Option(help="A .tflite of int8 layers.", show_default="the bundle's extractor"),
    ] = None,
    inputs: Annotated[int, typer.Option(min=1, help="How many inputs to compare.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the inputs.")] = 0,
    target: TargetOption = "mps2",
    streaming: Annotated[
        bool, typer.Option("--streaming", help="Compare answers every few samples instead.")
    ] = False,
    hop: Annotated[
        int | None,
        typer.Option(min=1, help="Samples between them.", show_default="an eighth of a window"),
    ] = None,
    windows: Annotated[int, typer.Option(min=1, help="How many of them to compare.")] = 200,
    as_json: JsonOption = False,
) -> None:
    """Compare our int8 engine with TFLite-Micro, byte by byte. Exit code 1 if they differ."""
    from pipeline.sim.parity import run_parity, run_streaming_parity

    if hop is not None and not streaming:
        raise InputError("--hop is for --streaming: add it")
    path = extractor_of(bundle_or_default(BUNDLE)) if model is None else model
    report: ParityReport | StreamingReport
    if streaming:
        with working(f"streaming {windows} windows on {target} and running TFLite-Micro"):
            report = run_streaming_parity(path, hop, windows, seed, target)
    else:
        with working(f"running {inputs} inputs on {target} and in TFLite-Micro"):
            report = run_parity(path, inputs, seed, target)
    if as_json:
        print_json(asdict(report))
    else:
        _show_parity(report)
    if report.mismatches:
        raise typer.Exit(1)


def _show_parity(report: ParityReport | StreamingReport) -> None:
    from pipeline.sim.parity import StreamingReport

    verdict = "equal" if report.mismatches == 0 else f"{report.mismatches} DIFFER"
    what = f"windows at hop {report.hop}" if isinstance(report, StreamingReport) else "inputs"
    say(f"{report.model} on {report.target}: {report.compared} {what}, {verdict}")
    say(f"  distinct outputs {report.distinct_outputs:>12,}")
    say(f"  MACs             {report.macs:>12,}")
    if isinstance(report, StreamingReport):
        say(f"  restarts         {report.restarts:>12,}")
    else:
        say(f"  flash            {report.flash_bytes:>12,} bytes: constants, code, kernels")
    say(f"  arena            {report.arena_bytes:>12,} bytes")
    if report.instructions is not None:
        each = "a hop" if isinstance(report, StreamingReport) else "an inference"
        say(f"  instructions     {report.instructions:>12,} {each}")
