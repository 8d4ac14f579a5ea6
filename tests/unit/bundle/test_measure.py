"""The tails that `har bench` counts beside a bundle's own."""

from __future__ import annotations

import pytest

from pipeline.bundle.bundle import Bundle, Provenance, TailSizes
from pipeline.bundle.measure import tail_shapes
from pipeline.head import TailShape
from pipeline.models import backbone

DEFAULT = {
    "fc": TailShape(416, 8, 416),
    "fxc1": TailShape(416, 8, 304, 7, 96, 112),
    "fxc2": TailShape(416, 8, 304, 11, 96, 112, 5, 1),
}


def bundle(name: str, cut: str, shape: TailShape, window: int) -> Bundle:
    """Of all that a bundle has, what a tail's shape depends on."""
    return Bundle.model_construct(
        provenance=Provenance.model_construct(backbone=name),
        window_samples=window,
        rows=shape.rows,
        features=shape.features,
        cut=cut,
        tail=TailSizes(
            frozen=shape.frozen,
            map_length=shape.map_length,
            channels=shape.channels,
            filters=shape.filters,
            kernel=shape.kernel,
            stride=shape.stride,
        ),
    )


@pytest.mark.parametrize("cut", DEFAULT)
def test_shapes_are_those_of_the_default_backbone_whatever_the_bundle_s_cut(cut: str) -> None:
    assert tail_shapes(bundle("dscnn", cut, DEFAULT[cut], 128)) == DEFAULT


def test_shapes_are_those_of_the_network() -> None:
    name, window = "dscnn:k3:4s2-6s1-8s2", 64
    net = backbone(name)
    model = net.build(window, 6, 5, 0.0)
    behind = {cut: net.tail(model, cut) for cut in ("fc", "fxc1", "fxc2")}
    found = tail_shapes(bundle(name, "fc", TailShape(18, 7, 18), window))
    for cut, tail in behind.items():
        sizes = tail.frozen, tail.map_length, tail.channels, tail.filters, tail.kernel, tail.stride
        assert found[cut] == TailShape(18, 7, *sizes)
