"""Source networks: one of each network and source, trained once and kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.files import build_cached, write_npz
from pipeline.core.types import Array
from pipeline.experiments.fxcy.domains import Domain, PhotoInput, fit_photo_input, load_domain
from pipeline.experiments.fxcy.settings import Learning, SourceLearning
from pipeline.models import backbone as find_backbone
from pipeline.models import load_weights
from pipeline.training.inputs import NetworkInput
from pipeline.training.pretrained import Pretrained, load_pretrained, pretrain_extractor
from pipeline.training.shipped import DIRECTORY, ExtractorName, recipe

SHIPPED = "trained on {}, as the project ships it"
MADE = "trained on {} by this command"
_SEED = 0
_VERSION = 2  # of what is kept


@dataclass(frozen=True, eq=False)
class SourceNetwork:
    """``arrays``: variables by name. ``inputs``: from what the source and the target hold to what
    the network reads. ``weights``: where they are from. ``pretrained``: all of it, of sensors."""

    arrays: dict[str, Array]
    inputs: NetworkInput | PhotoInput
    activities: tuple[str, ...]
    weights: str
    pretrained: Pretrained | None = None


def source_network(
    source: str, version: str, backbone: str, learning: SourceLearning, folder: Path
) -> SourceNetwork:
    """The network ``backbone`` trained on the training subjects of this ``version`` of ``source``:
    the shipped one where there is one, else that in ``folder``, which is made if it is not there.

    Raises InputError for names that are none, ExternalError where data cannot be fetched.
    """
    name = _shipped(source, backbone)
    if name is not None:
        return _loaded(name.path(DIRECTORY), SHIPPED.format(source))
    stem = f"{source.replace('+', '_')}-{backbone.replace(':', '_')}"
    depends = [_VERSION, version, asdict(learning), asdict(recipe(source, backbone))]
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    path = folder / f"{stem}-{digest[:16]}"
    domain = None if path.exists() else load_domain(source, seed=_SEED, progress=False)
    made = build_cached(path, lambda part: _make(domain, backbone, learning, part))
    return _loaded(made / "weights.npz", MADE.format(source))


def needs_making(source: str, backbone: str) -> bool:
    """Whether no network is shipped for them."""
    return _shipped(source, backbone) is None


def source_accuracy(
    network: SourceNetwork, source: str, backbone: str, learning: Learning
) -> float:
    """On the source's own test subjects, at most as many windows as a target has, 0 to 1."""
    from pipeline.models.weights import set_model_arrays

    test = load_domain(source, seed=_SEED, progress=False).test.thinned(learning.test_windows)
    model = _empty(find_backbone(backbone), test.x, len(network.activities))
    set_model_arrays(model, network.arrays, f"{backbone} of {source}")
    logits = model.predict(network.inputs(test.x), batch_size=128, verbose=0)
    return float((logits.argmax(1) == test.y).mean())


def _shipped(source: str, backbone: str) -> ExtractorName | None:
    name = ExtractorName(source, backbone, "official", 0, _SEED)
    return name if name.path(DIRECTORY).exists() else None


def _make(domain: Domain | None, backbone: str, learning: SourceLearning, folder: Path) -> None:
    if domain is None:
        raise InputError(f"{folder}: was there a moment ago; run again")
    folder.mkdir()
    if domain.task is not None:
        _pretrain(domain, backbone, learning, folder / "weights.npz")
    else:
        _train_on_images(domain, backbone, learning, folder / "weights.npz")


def _pretrain(domain: Domain, backbone: str, learning: SourceLearning, path: Path) -> None:
    """By the data set's recipe, on fewer windows in fewer epochs."""
    task = domain.task
    assert task is not None
    settings = replace(recipe(domain.name, backbone), epochs=learning.epochs, batch=learning.batch)
    pretrain_extractor(task.thinned(learning.windows), settings, _SEED, path)


def _train_on_images(domain: Domain, backbone: str, learning: SourceLearning, path: Path) -> None:
    """Adam over the images as they are, and a card of how they are read."""
    import tf_keras

    from pipeline.models.weights import model_arrays
    from pipeline.training.seeds import seed_everything

    seed_everything(_SEED)
    network = find_backbone(backbone)
    assert network.image is not None
    train = domain.train.thinned(learning.windows)
    inputs = fit_photo_input(train.x, network.image.pixels, network.image.planes)
    model = _empty(network, train.x, len(domain.activities))
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.9
    model.compile(
        tf_keras.optimizers.Adam(1e-3),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        inputs(train.x), train.y, batch_size=learning.batch, epochs=learning.epochs, verbose=0
    )
    write_npz(path, model_arrays(model))
    card = {"activities": domain.activities, "input": asdict(inputs)}
    path.with_name("images.json").write_text(json.dumps(card, indent=2) + "\n")


def _empty(network: Any, x: Array, activities: int) -> Any:
    import tf_keras

    tf_keras.backend.clear_session()
    return network.build(x.shape[1], x.shape[-1], activities, 0.0)


def _loaded(path: Path, weights: str) -> SourceNetwork:
    photos = path.with_name("images.json")
    if not photos.exists():
        made = load_pretrained(path)
        card = made.card
        return SourceNetwork(made.arrays, card.normalize, tuple(card.activities), weights, made)
    stored = json.loads(photos.read_text())
    size = stored["input"]
    inputs = PhotoInput(size["pixels"], tuple(size["mean"]), tuple(size["std"]))
    return SourceNetwork(load_weights(path), inputs, tuple(stored["activities"]), weights)
