"""The heads that `har bench` counts beside a bundle's own."""

from __future__ import annotations

import pytest

from pipeline.bundle.bundle import Bundle, HeadSizes, Provenance
from pipeline.bundle.measure import head_shapes
from pipeline.head import HeadShape
from pipeline.models import backbone

DEFAULT = {
    "fc": HeadShape(416, 8, 416),
    "fxc1": HeadShape(416, 8, 304, 7, 96, 112),
    "fxc2": HeadShape(416, 8, 304, 11, 96, 112, 5, 1),
}


def bundle(name: str, cut: str, shape: HeadShape, window: int) -> Bundle:
    """Of all that a bundle has, what a head's shape depends on."""
    return Bundle.model_construct(
        provenance=Provenance.model_construct(backbone=name),
        window_samples=window,
        rows=shape.rows,
        features=shape.features,
        cut=cut,
        head=HeadSizes(
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
    assert head_shapes(bundle("dscnn", cut, DEFAULT[cut], 128)) == DEFAULT


def test_shapes_are_those_of_the_network() -> None:
    name, window = "dscnn:k3:4s2-6s1-8s2", 64
    net = backbone(name)
    model = net.build(window, 6, 5, 0.0)
    behind = {cut: net.float_head(model, cut) for cut in ("fc", "fxc1", "fxc2")}
    found = head_shapes(bundle(name, "fc", HeadShape(18, 7, 18), window))
    for cut, head in behind.items():
        sizes = head.frozen, head.map_length, head.channels, head.filters, head.kernel, head.stride
        assert found[cut] == HeadShape(18, 7, *sizes)
