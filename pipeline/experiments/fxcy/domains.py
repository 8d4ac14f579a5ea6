"""What a network learns on: sensor windows or small images, divided into training and test.

Sensor data are divided by subject. Images have no known authors: they are divided as published, or,
where no division is published, by their place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pipeline.core.errors import ExternalError, InputError
from pipeline.core.types import Array
from pipeline.data import Windows, dataset_names, default_scheme, identities, is_dataset_name, thin
from pipeline.models import Backbone
from pipeline.training.task import Task, load_task

# Luma of ITU-R BT.601.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STD_LEAST = 1e-3
Kind = Literal["sensor", "image"]
DIGITS = {"digits_low": range(5), "digits_high": range(5, 10)}
"""scikit-learn's 8 x 8 digits, 0 to 4 and 5 to 9."""
KERAS_IMAGES = ("cifar10", "cifar100", "mnist", "fashion_mnist")
"""Images that Keras downloads, and checks by SHA-256."""
NOBODY = "unknown"
"""Whoever drew or photographed an image."""
_DIGITS_TRAIN = 2 / 3
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class PhotoInput:
    """Images (N, H, W, planes) 0 to 1 -> network inputs float32 (N, pixels, pixels, planes of the
    network): another size, gray or colour, and by plane (x - mean) / std."""

    pixels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, x: Array) -> Array:
        fitted = resize(planes_of(x, len(self.mean)), self.pixels)
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return np.asarray((fitted - mean) / std)


def fit_photo_input(x: Array, pixels: int, planes: int) -> PhotoInput:
    """For a network of so many pixels and planes; means and deviations are those of the training
    images (N, H, W, planes)."""
    fitted = planes_of(x, planes)
    mean = fitted.mean(axis=(0, 1, 2), dtype=np.float64)
    std = np.maximum(fitted.std(axis=(0, 1, 2), dtype=np.float64), _STD_LEAST)
    return PhotoInput(pixels, tuple(map(float, mean)), tuple(map(float, std)))


def planes_of(x: Array, planes: int) -> Array:
    """(N, H, W, 1 or 3) -> (N, H, W, planes): colour from gray by repetition, gray from colour by
    its luma. InputError for other counts."""
    if x.shape[-1] == planes:
        return x
    if (x.shape[-1], planes) == (1, 3):
        return np.repeat(x, 3, axis=-1)
    if (x.shape[-1], planes) == (3, 1):
        return np.asarray((x @ _LUMA)[..., None])
    raise InputError(f"images of {x.shape[-1]} planes for a network of {planes}: there are 1 and 3")


def resize(x: Array, pixels: int) -> Array:
    """(N, H, W, planes) -> (N, pixels, pixels, planes) float32, bilinear, the pixels' centres in
    between; enlarged only: a smaller network would see every other pixel."""
    rows, columns = (_weights(size, pixels) for size in x.shape[1:3])
    if x.shape[1:3] == (pixels, pixels):
        return x
    enlarged = np.einsum("ih,jw,nhwp->nijp", rows, columns, x, optimize=True)
    return np.asarray(enlarged, np.float32)


def _weights(size: int, pixels: int) -> Array:
    """(pixels, size): each row blends the two nearest of ``size`` pixels."""
    if pixels < size:
        raise InputError(
            f"images of {size} pixels for a network of {pixels}; choose one of at least {size} "
            "(@PIXELS after its name)"
        )
    at = np.clip((np.arange(pixels) + 0.5) * size / pixels - 0.5, 0, size - 1)
    left = np.minimum(at.astype(int), max(size - 2, 0))
    weights = np.zeros((pixels, size), np.float32)
    share = at - left
    weights[np.arange(pixels), left] = 1 - share
    weights[np.arange(pixels), np.minimum(left + 1, size - 1)] += share
    return weights


@dataclass(frozen=True, eq=False)
class Examples:
    """N windows (N, T, 6) in g and rad/s, or images (N, H, W, planes) 0 to 1, float32; activities
    int64 (N,), and whose they are, str (N,)."""

    x: Array
    y: Array
    subjects: Array

    def __len__(self) -> int:
        return len(self.y)

    @property
    def people(self) -> tuple[str, ...]:
        """Sorted; none where they are not known."""
        return tuple(sorted(set(self.subjects.tolist()) - {NOBODY}))

    def take(self, places: Array) -> Examples:
        """Those at ``places``, in that order."""
        return Examples(self.x[places], self.y[places], self.subjects[places])

    def thinned(self, count: int | None) -> Examples:
        """At most ``count`` of them, as `thin` chooses; all for None."""
        return self.take(thin(self.subjects, self.y, count))


@dataclass(frozen=True, eq=False)
class Domain:
    """``split``: who or what tests. ``rate_hz``: 0 for images. ``sha256``: of what was read, ""
    where the reader checks by itself. ``task``: of sensor data, whole."""

    name: str
    kind: Kind
    activities: tuple[str, ...]
    rate_hz: float
    split: str
    train: Examples
    test: Examples
    sha256: str = ""
    task: Task | None = None

    @property
    def version(self) -> str:
        """Tells its content from that of another data set of this name: 16 hex digits."""
        return self.sha256[:16]


def domain_kind(name: str) -> Kind:
    """What ``name`` holds. InputError where there is no such domain."""
    if name in DIGITS or name in KERAS_IMAGES:
        return "image"
    if is_dataset_name(name):
        return "sensor"
    images = ", ".join((*DIGITS, *KERAS_IMAGES))
    raise InputError(
        f"no data set {name!r}; there are: {', '.join(dataset_names())} and the images {images} "
        "(har data import brings others)"
    )


def load_domain(
    name: str,
    *,
    seed: int = 0,
    train_windows: int | None = None,
    test_windows: int | None = None,
    progress: bool = True,
) -> Domain:
    """Loads a domain, each side thinned to at most so many examples (None: all).

    Sensor data are split as published where that is so, else 5-fold/0. Their training subjects are
    the split's, without the validation subjects that ``seed`` draws; the test subjects are the same
    for every seed. Thinning takes as many examples of each subject and activity as there are, or as
    of the others, evenly over time.

    Raises:
        InputError: no such domain, or as `load_task`.
        ExternalError: it cannot be fetched.
    """
    if domain_kind(name) == "sensor":
        domain = _sensor(name, seed, progress)
    elif name in DIGITS:
        domain = _digits(name, progress)
    else:
        domain = _keras(name)
    train, test = (
        domain.train.thinned(train_windows),
        domain.test.thinned(test_windows),
    )
    return replace(domain, train=train, test=test)


def check_names(source: str, target: str, backbone: Backbone) -> None:
    """Raises InputError where the names alone say that nothing can be carried over from one to
    the other with this network."""
    pair = f"{source} -> {target}"
    kind, other = domain_kind(source), domain_kind(target)
    if source == target:
        raise InputError(f"pair {pair}: source and target are the same; name two data sets")
    if kind != other:
        raise InputError(
            f"pair {pair}: a network of {kind} data takes no {other} data; pair sensors with "
            "sensors and images with images"
        )
    if kind == "image" and backbone.image is None:
        raise InputError(
            f"backbone {backbone.name} takes sensor windows and {pair} are images; choose smallcnn "
            "or another image network"
        )


def check_pair(source: Domain, target: Domain) -> None:
    """Raises InputError where the rates differ, or where a subject would train and test at once."""
    pair = f"{source.name} -> {target.name}"
    if source.rate_hz != target.rate_hz:
        raise InputError(
            f"pair {pair}: {source.rate_hz:g} Hz and {target.rate_hz:g} Hz; import one of them "
            "again at the rate of the other"
        )
    taught = identities(source.name, source.train.people)
    both = taught & identities(target.name, target.test.people)
    if both:
        raise InputError(
            f"pair {pair}: the source network learned {', '.join(sorted(both)[:3])}, who test in "
            f"{target.name}; choose data sets of different subjects"
        )


def _sensor(name: str, seed: int, progress: bool) -> Domain:
    from pipeline.data import load_dataset

    scheme = default_scheme(load_dataset(name, progress=progress))
    task = load_task(name, scheme=scheme, seed=seed, progress=progress)
    return Domain(
        name,
        "sensor",
        task.windows.activities,
        task.dataset.rate_hz,
        task.split.name,
        _examples(task.windows.for_subjects(task.split.train)),
        _examples(task.windows.for_subjects(task.split.test)),
        task.dataset.sha256,
        task,
    )


def _examples(windows: Windows) -> Examples:
    return Examples(windows.x, windows.y, windows.subjects)


def _digits(name: str, progress: bool) -> Domain:
    from pipeline.data.digits import PINNED, load_digits

    images, digits = load_digits(progress=progress)
    wanted = DIGITS[name]
    mine = np.flatnonzero(np.isin(digits, list(wanted)))
    border = round(len(mine) * _DIGITS_TRAIN)
    train, test = (
        _drawn(images[places], digits[places] - wanted.start)
        for places in (mine[:border], mine[border:])
    )
    names = tuple(str(digit) for digit in wanted)
    split = "the first two thirds of the file train"
    return Domain(name, "image", names, 0.0, split, train, test, PINNED.sha256)


def _drawn(images: Array, y: Array) -> Examples:
    return Examples(images, y.astype(np.int64), np.full(len(y), NOBODY))


def _keras(name: str) -> Domain:
    """Keras keeps what it has downloaded."""
    with _quiet_download():
        from tf_keras import datasets

        try:
            sides = getattr(datasets, name).load_data()
        except Exception as error:  # Keras raises the bare class where a download fails
            reason = " ".join(str(error).split())[:200]
            raise ExternalError(
                f"{name}: Keras could not load it ({reason}); run it where the network allows, or "
                "use digits_low and digits_high"
            ) from None
    train, test = (_photographed(x, y) for x, y in sides)
    names = tuple(str(number) for number in range(int(train.y.max()) + 1))
    return Domain(name, "image", names, 0.0, "as published", train, test)


def _photographed(images: Array, y: Array) -> Examples:
    """uint8 (N, H, W) or (N, H, W, 3), and numbers (N,) or (N, 1)."""
    planes = images if images.ndim == 4 else images[..., None]
    return _drawn((planes / np.float32(255)).astype(np.float32), y.ravel())


@contextmanager
def _quiet_download() -> Iterator[None]:
    """One process at a time, no word on stdout, and no waiting without end."""
    import contextlib
    import socket
    import sys

    from pipeline.data.cache import cache_directory, locked

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_S)
    try:
        with locked(cache_directory()), contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)
