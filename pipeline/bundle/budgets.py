"""What a bundle costs to run and to teach, counted on the emulated core, and its budgets.

A budget is the cost of a network when it was last accepted. `har bench --check` compares: a figure
more than 2 % above its budget fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.bundle.bundle import Bundle, load_bundle
from pipeline.bundle.emit import emit
from pipeline.core.errors import InputError
from pipeline.core.files import write_whole
from pipeline.head import HeadShape
from pipeline.models import shape_of
from pipeline.sim.bench import Bench, bench, bench_heads
from pipeline.sim.build import ROOT, build_firmware, build_image
from pipeline.sim.emulator import Target
from pipeline.sim.network_cost import network_cost

BUDGETS = ROOT / "firmware" / "budgets.json"
TOLERANCE = 0.02

Figures = dict[str, int]


def bench_bundle(directory: Path, target: Target, build_directory: Path) -> Bench:
    """Counts one prediction and one update of the bundle in ``directory`` on ``target``; where that
    counts instructions, also learning with the head of each cut of the bundle's backbone.

    Raises InputError for a damaged bundle, ExternalError for a missing tool.
    """
    generated, build = build_directory / "generated", build_directory / f"firmware-{target}"
    bundle = load_bundle(directory)
    emit(bundle, generated)
    image = build_firmware(target, generated, build)
    counts = bench(target, image)
    if target != "mps2":
        return counts
    inference = network_cost(bundle.model_id, bundle.engine)
    cost = bench_heads(
        build_image("har_learner_bench", target, build, generated),
        head_shapes(bundle),
        bundle.cut,
        len(bundle.activities),
        bundle.new_learner().learning,
        bundle.replay.capacity,
        bundle.replay.exemplars,
    )
    return replace(counts, inference=inference, learning=cost)


def head_shapes(bundle: Bundle) -> dict[str, HeadShape]:
    """The head of each cut of the bundle's backbone: the bundle's own, and what the others would
    be. Image networks have cut fc only."""
    if bundle.spectrogram:
        return {bundle.cut: bundle.shape}
    backbone, rows, lengths = shape_of(bundle.provenance.backbone), bundle.rows, []
    length = bundle.window_samples
    for _, stride in backbone.stages:  # valid padding
        length = (length - backbone.kernel) // stride + 1
        lengths.append(length)
    *frozen, channels, filters = (width for width, _ in backbone.stages)
    kept, stride = sum(frozen) + channels, backbone.stages[-1][1]
    features = kept + filters
    shapes = {
        "fc": HeadShape(features, rows, features),
        "fxc1": HeadShape(features, rows, kept, lengths[-1], channels, filters),
        "fxc2": HeadShape(
            features, rows, kept, lengths[-2], channels, filters, backbone.kernel, stride
        ),
    }
    return {**shapes, bundle.cut: bundle.shape}


@dataclass(frozen=True)
class BudgetCheck:
    """The ``figures`` of ``network`` against its ``budget``; `worse` is what fails."""

    network: str
    figures: Figures
    budget: Figures

    @property
    def worse(self) -> list[str]:
        """A line for each figure that is more than `TOLERANCE` above its budget."""
        return [
            f"{self.network}: {name} {self._change(name)}"
            for name in self.figures
            if self.figures[name] > self.budget[name] * (1 + TOLERANCE)
        ]

    @property
    def better(self) -> list[str]:
        """A line for each figure that is below its budget."""
        return [
            f"{self.network}: {name} {self._change(name)}"
            for name in self.figures
            if self.figures[name] < self.budget[name]
        ]

    def _change(self, name: str) -> str:
        figure, budget = self.figures[name], self.budget[name]
        return f"{figure:,}, budget {budget:,} ({100 * (figure / budget - 1):+.2f} %)"


def network_of(bundle: Bundle) -> str:
    """The name of a bundle's network among the budgets, e.g. ``hapt/dscnn/fc``."""
    made = bundle.provenance
    return f"{made.dataset}/{made.backbone}/{bundle.cut}"


def figures_of(result: Bench) -> Figures:
    """The figures of ``result`` that have a budget. Raises InputError where no instructions were
    counted."""
    if result.inference is None or result.learning is None:
        raise InputError(f"budgets are instructions of target mps2; {result.target} counts none")
    figures = {
        "inference_instructions": result.inference.instructions,
        "inference_cycles_model": result.inference.cycles_model,
        "prediction_instructions": result.prediction,
        "update_instructions": result.update,
        "flash_bytes": result.flash_bytes,
        "ram_bytes": result.ram_bytes,
        "stack_bytes": result.stack_used_bytes,
    }
    for cut, cost in result.learning.heads.items():
        figures[f"{cut}_full_store_update_instructions"] = cost.update_instructions
        figures[f"{cut}_learning_ram_bytes"] = cost.ram_bytes
    return figures


def read_budgets(path: Path = BUDGETS) -> dict[str, Figures]:
    """The budgets by network. Raises InputError for a file that is missing or damaged."""
    try:
        return TypeAdapter(dict[str, Figures]).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `har bench --write-budgets` makes it") from None
    except ValidationError as error:
        raise InputError(f"{path}: {error.errors()[0]['msg']}; restore it from git") from None


def check_budgets(network: str, figures: Figures, path: Path = BUDGETS) -> BudgetCheck:
    """Compare ``figures`` with the budget of ``network``.

    Raises:
        InputError: ``network`` has no budget, or one of other figures.
    """
    budget = read_budgets(path).get(network)
    if budget is None or set(budget) != set(figures) or min(budget.values()) < 1:
        raise InputError(
            f"{path}: no budget of these figures for {network}; `har bench --write-budgets` adds it"
        )
    return BudgetCheck(network, figures, budget)


def budget_line(network: str, figures: Figures) -> str:
    """A network's line in the file of budgets."""
    return f'  "{network}": {json.dumps(figures)}'


def write_budget(network: str, figures: Figures, path: Path = BUDGETS) -> None:
    """Take ``figures`` as the budget of ``network`` from now on."""
    budgets = {**(read_budgets(path) if path.exists() else {}), network: figures}
    lines = (budget_line(name, budgets[name]) for name in sorted(budgets))
    write_whole(path, "{\n" + ",\n".join(lines) + "\n}\n")
