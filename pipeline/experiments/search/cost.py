"""What a shape costs on the board, counted from the shape alone: nothing is built or trained."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.compiler.plan import Buffer, arena_size, place
from pipeline.experiments.search.space import Candidate


@dataclass(frozen=True)
class Cost:
    """``parameters``: weights and biases of the whole network, batch normalization folded.
    ``macs``: multiply-accumulates of one prediction, classifier included. ``ram_bytes``: the
    arena in which the compiled int8 extractor computes."""

    parameters: int
    macs: int
    ram_bytes: int


@dataclass(frozen=True)
class Limits:
    """The most that a candidate may cost."""

    parameters: int = 36_000
    macs: int = 550_000
    ram_bytes: int = 65_536  # a quarter of the board's: windows, head, link and stack want theirs

    def excess(self, cost: Cost | None) -> dict[str, float]:
        """Share by which each limit is passed; nothing above 0 fits. ``None``, a network that its
        window is too short for, passes all of them."""
        if cost is None:
            return dict.fromkeys(("parameters", "macs", "ram_bytes"), 1.0)
        return {
            "parameters": cost.parameters / self.parameters - 1.0,
            "macs": cost.macs / self.macs - 1.0,
            "ram_bytes": cost.ram_bytes / self.ram_bytes - 1.0,
        }

    def fit(self, cost: Cost | None) -> bool:
        """Whether nothing is passed."""
        return max(self.excess(cost).values()) <= 0.0


def count_cost(candidate: Candidate, channels: int, activities: int) -> Cost | None:
    """Counts a candidate for windows of ``channels`` and a classifier of ``activities``; ``None``
    when the window is too short for the strides. Equals what `compile_model` says of the
    quantized network."""
    kernel = candidate.shape.kernel
    length, width = candidate.window, channels
    parameters, macs = activities, 0
    layers: list[int] = []  # bytes: stem, then depthwise and pointwise of each block
    for number, (filters, stride) in enumerate(candidate.shape.stages):
        if length < kernel:
            return None
        length = (length - kernel) // stride + 1
        if number == 0:
            parameters += kernel * width * filters + filters
            macs += length * kernel * width * filters
        else:
            parameters += kernel * width + width + width * filters + filters
            macs += length * (kernel * width + width * filters)
            layers.append(length * width)
        layers.append(length * filters)
        parameters += filters * activities
        macs += filters * activities
        width = filters
    pooled = [filters for filters, _ in candidate.shape.stages]
    return Cost(parameters, macs, _arena_bytes(candidate.window * channels, layers, pooled))


def _arena_bytes(source: int, layers: list[int], pooled: list[int]) -> int:
    """Places the extractor's tensors as the compiler does, in the order that the converter writes:
    every block is pooled when it is done, the stem after all of them. ``source``, ``layers`` (stem,
    then two a block) and ``pooled`` (one a stage) in bytes; pooled features stay to the end."""
    steps: list[tuple[int, int]] = [(0, 1)]  # (tensor read, tensor written); the input is 0
    first_pooled = len(layers) + 1
    for block in range(1, len(pooled)):
        steps += [(2 * block - 1, 2 * block), (2 * block, 2 * block + 1)]
        steps.append((2 * block + 1, first_pooled + block))
    steps.append((1, first_pooled))

    sizes = [source, *layers, *pooled]
    first, last = {0: -1}, {0: -1}
    for now, (read, written) in enumerate(steps):
        last[read] = first[written] = last[written] = now
    last |= dict.fromkeys(range(first_pooled, len(sizes)), len(steps))
    buffers = {key: Buffer(size, first[key], last[key]) for key, size in enumerate(sizes)}
    return arena_size(buffers, place(buffers))
