"""What a bundle costs to run and to teach, counted on the emulated core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.bundle.bundle import Bundle, load_bundle
from pipeline.bundle.emit import emit
from pipeline.head import HeadShape
from pipeline.models import shape_of
from pipeline.sim.bench import Bench, bench
from pipeline.sim.build import build_firmware, build_image
from pipeline.sim.emulator import Target
from pipeline.sim.head_bench import bench_heads


def bench_bundle(directory: Path, target: Target, build_directory: Path) -> Bench:
    """Counts one prediction and one update of the bundle in ``directory`` on ``target``; where that
    counts instructions, also learning with the head of each cut of the bundle's backbone.

    Raises InputError for a damaged bundle, ExternalError for a missing tool.
    """
    generated, build = build_directory / "generated", build_directory / f"firmware-{target}"
    bundle = load_bundle(directory)
    emit(bundle, generated)
    counts = bench(target, build_firmware(target, generated, build).path)
    if target != "mps2":
        return counts
    cost = bench_heads(
        build_image("har_learner_bench", target, build, generated),
        head_shapes(bundle),
        bundle.cut,
        len(bundle.activities),
        bundle.new_learner().learning,
        bundle.replay.capacity,
        bundle.replay.exemplars,
    )
    return replace(counts, learning=cost)


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
