"""The model that a command takes: one by its folder, one that ships by its name, or the default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.common import ROOT, note, working
from pipeline.core.files import restore

if TYPE_CHECKING:
    from pipeline.bundle import Bundle
    from pipeline.training import TrainedModel

TRAINED = Path("build/train")
BUNDLE = Path("build/bundle")
GENERATED = ROOT / "firmware" / "generated"
SHIPPED = "waist"
"""The shipped network that is meant where none is named."""


def bundle_or_default(bundle: Path) -> Path:
    """Return the folder of ``bundle``, which may be the name of one that ships. Where it is the
    default one and missing, that is the model of `har train`, quantized, or else the shipped one.

    Raises:
        InputError, ExternalError: as `har quantize` and `load_material`.
    """
    from pipeline.bundle.ready import ready_bundle
    from pipeline.training.corpora import NAMES

    restore(bundle)
    if (bundle / "bundle.json").exists():
        return bundle
    if str(bundle) in NAMES and not bundle.exists():
        with working(f"making the {bundle} bundle from the shipped weights"):
            return ready_bundle(str(bundle))
    if bundle != BUNDLE:
        return bundle
    if (TRAINED / "train.json").exists():
        note(f"no bundle in {BUNDLE}: quantizing the model in {TRAINED}")
        from pipeline.training import load_trained

        quantize_trained(load_trained(TRAINED), BUNDLE)
        return BUNDLE
    note(f"no bundle in {BUNDLE}: taking the {SHIPPED} bundle that ships")
    with working("making it from the shipped weights"):
        return ready_bundle(SHIPPED)


def quantize_trained(trained: TrainedModel, output: Path, **options: Any) -> Bundle:
    """Quantize what `har train` left, by its data set or by what ships of it. Raises as
    `har quantize`."""
    from pipeline.bundle.material import load_material
    from pipeline.bundle.quantize import quantize
    from pipeline.bundle.ready import own_task, quantize_material
    from pipeline.training.task import load_named_task

    card = trained.card
    with working("quantizing") as show:
        if card.bundle:
            material = load_material(card.bundle)
            task = own_task(material, card.own)
            return quantize_material(material, trained, task, output, on_step=show, **options)
        task = load_named_task(card.dataset, card.split, card.seed, own=card.own, shape=card.shape)
        return quantize(trained, task, output, on_step=show, **options)


def generated_or_default(generated: Path, bundle: Path | None = None) -> Path:
    """Return ``generated``. With a ``bundle``, by its folder or shipped name, its C is emitted into
    there first; without one, that of the default bundle where the default folder is empty.

    Raises as `bundle_or_default`.
    """
    if bundle is None and (generated != GENERATED or (generated / "har_model.h").exists()):
        return generated
    from pipeline.bundle import emit, load_bundle

    folder = bundle_or_default(bundle or BUNDLE)
    if bundle is None:
        note(f"no C files in {generated}: emitting those of {folder}")
    emit(load_bundle(folder), generated)
    return generated


def extractor_of(bundle: Path) -> Path:
    """The .tflite that the engine runs, of a bundle's folder."""
    from pipeline.bundle.bundle import EXTRACTOR

    return bundle / EXTRACTOR
