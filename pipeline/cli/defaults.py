"""The model that a command takes where none is named, made where it is missing."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.common import ROOT, note, working
from pipeline.core.files import restore

TRAINED = Path("build/train")
BUNDLE = Path("build/bundle")
GENERATED = ROOT / "firmware" / "generated"


def bundle_or_default(bundle: Path) -> Path:
    """Return ``bundle``; where it is the default one and missing, train and quantize it first.

    Raises:
        InputError, ExternalError: as `har train` and `har quantize`.
    """
    restore(bundle)
    if bundle != BUNDLE or (bundle / "bundle.json").exists():
        return bundle
    from pipeline.bundle.quantize import quantize
    from pipeline.training import load_pretrained, load_trained, train
    from pipeline.training.shipped import ExtractorName, find_extractor
    from pipeline.training.task import load_named_task, load_task
    from pipeline.training.train import save_trained

    if (TRAINED / "train.json").exists():
        note(f"no bundle in {BUNDLE}: quantizing the model in {TRAINED}")
        trained = load_trained(TRAINED)
        card = trained.card
        task = load_named_task(card.dataset, card.split, card.seed, own=card.own, shape=card.shape)
    else:
        note(f"no bundle in {BUNDLE}: training and quantizing the default one")
        name = ExtractorName()
        extractor = load_pretrained(find_extractor(name))
        task = load_task(name.dataset, shape=extractor.card.shape)
        with working("training the head"):
            trained = train(extractor, task, name.seed)
        save_trained(trained, TRAINED)
    with working("quantizing") as show:
        quantize(trained, task, BUNDLE, on_step=show)
    return BUNDLE


def generated_or_default(generated: Path) -> Path:
    """Return ``generated``; where it is the default folder and empty, emit the C of the default
    bundle into it first. Raises as `bundle_or_default`."""
    if generated == GENERATED and not (generated / "har_model.h").exists():
        from pipeline.bundle import emit, load_bundle

        bundle = bundle_or_default(BUNDLE)
        note(f"no C files in {generated}: emitting those of {bundle}")
        emit(load_bundle(bundle), generated)
    return generated
