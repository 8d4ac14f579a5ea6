"""variants.json: one row for each variant of each network, and what was published of such."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from pipeline.report.fields import Count, Share

LOSS = 0.005
"""Of accuracy: what a good conversion to int8 loses at most."""
SHRINK = 3.7
"""Times: what it shrinks the weights at least."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class VariantRow(_Part):
    """A variant, its accuracies on test subjects, means over ``seeds`` networks.

    ``bytes``: of the .tflite file, ``compressed_bytes`` of it after gzip -9; ``weight_bytes``: of
    the constants in it. ``parameters``: weights and biases, batch norm folded;
    ``nonzero_parameters`` of them are not 0. ``drop``: accuracy lost against float32 of the same
    network, 0 to 1, negative where it gained. ``shrink``: float32's weight bytes over this one's.
    ``arena_bytes``: TFLite-Micro's; ``engine_*``: of the compiled engine on a Cortex-M4F, from the
    linker's map; ``instructions``: of one inference there. None where the engine in question does
    not run it; ``limits`` says why, one sentence each. ``fits``: with the firmware around it on
    the board, by ``engine``; None where that was not measured and nothing rules it out.
    ``energy_nj``: ``macs`` x 3.2 pJ.
    """

    backbone: str
    variant: str
    seeds: list[int]
    bytes: Count
    compressed_bytes: Count
    weight_bytes: Count
    parameters: Count
    nonzero_parameters: Count
    macs: Count
    accuracy: Share
    accuracies: list[Share]
    macro_f1: Share
    worst_subject: str
    worst_subject_accuracy: Share
    drop: float
    shrink: float
    arena_bytes: Count | None
    engine_flash_bytes: Count | None
    engine_ram_bytes: Count | None
    instructions: Count | None
    energy_nj: float
    fits: bool | None
    engine: Literal["compiled", "tflm"] | None
    limits: list[str]


class VariantsReport(_Part):
    """``train_windows``: that an epoch draws at most, of the network with the most. ``weights``:
    what each network began with, by backbone: imagenet, the source's name, or none."""

    command: str
    date: str
    versions: dict[str, str]
    dataset: str
    split: str
    test_windows: Count
    test_people: Count
    train_windows: Count
    weights: dict[str, str]
    seconds: float
    rows: list[VariantRow]
    notes: list[str] = []


class PublishedVariant(NamedTuple):
    """A row of the table that the comparison is with: images, another data set."""

    network: str
    variant: str
    megabytes: float
    accuracy: float


PUBLISHED = (
    PublishedVariant("MobileNet", "base", 10.81, 0.8964),
    PublishedVariant("MobileNet", "quantized", 4.58, 0.8102),
    PublishedVariant("MobileNet", "pruned", 9.54, 0.8096),
    PublishedVariant("SqueezeNet", "base", 0.82, 0.8894),
    PublishedVariant("SqueezeNet", "quantized", 0.13, 0.9159),
    PublishedVariant("SqueezeNet", "pruned", 0.30, 0.9158),
)
"""Course slides on MobileNet and SqueezeNet, base, quantized and pruned."""
