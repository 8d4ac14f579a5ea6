"""Batch norms folded into the kernels before any conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.bundle.convert import to_float
from pipeline.compiler.reader import read_model
from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.models import backbone
from pipeline.models.dscnn import folded
from pipeline.models.weights import model_arrays, set_model_arrays

_NAME = "dscnn:k3:6s2-8s1-10s2"
_LENGTH = 40


@pytest.fixture(scope="module")
def networks() -> tuple[Any, Any]:
    """A network with batch norms that scale and shift, and the same one folded."""
    rng = np.random.default_rng(3)
    original, other = (backbone(_NAME).build(_LENGTH, 6, 4, 0.0) for _ in range(2))
    arrays = {
        name: rng.uniform(0.3, 2, values.shape).astype(np.float32)
        if name.endswith(("gamma", "moving_variance"))
        else rng.normal(0, 0.3, values.shape).astype(np.float32)
        for name, values in model_arrays(original).items()
    }
    set_model_arrays(original, arrays, "test")
    set_model_arrays(other, folded(arrays), "test")
    return original, other


def test_the_folded_network_answers_as_the_original(networks: tuple[Any, Any]) -> None:
    original, other = networks
    windows = np.random.default_rng(4).normal(0, 1, (50, _LENGTH, 1, 6)).astype(np.float32)
    expected = original.predict(windows, verbose=0)
    assert expected.std() > 0.1
    np.testing.assert_allclose(other.predict(windows, verbose=0), expected, rtol=0, atol=1e-5)


def test_batch_norms_are_left_as_exact_identities_with_a_bias(networks: tuple[Any, Any]) -> None:
    arrays = model_arrays(networks[1])
    for layer in networks[1].layers:
        if layer.name.endswith("_norm"):
            variance = arrays[f"{layer.name}/moving_variance"]
            assert (variance + np.float32(layer.epsilon) == 1).all()
            assert (arrays[f"{layer.name}/gamma"] == 1).all()
            assert (arrays[f"{layer.name}/moving_mean"] == 0).all()


def test_a_conversion_rounds_no_folded_array(networks: tuple[Any, Any]) -> None:
    """Its constants are the folded kernels and biases, bit for bit and nothing else."""

    def as_converted(name: str, values: Array) -> Array:
        if values.ndim == 4:
            return values.transpose(3, 0, 1, 2)  # a depthwise kernel's last axis is 1
        return values.T if name.endswith("kernel") else values

    def bits(values: Array) -> tuple[Any, ...]:
        return values.shape, np.ascontiguousarray(values).tobytes()

    arrays = model_arrays(networks[1])
    expected = [
        bits(as_converted(name, values))
        for name, values in arrays.items()
        if name.endswith(("kernel", "beta", "bias"))
    ]
    constants = [
        bits(np.frombuffer(tensor.data.tobytes(), np.float32).reshape(tensor.shape))
        for tensor in read_model(to_float(networks[1])).tensors
        if tensor.type == "FLOAT32" and tensor.data is not None
    ]
    assert sorted(constants) == sorted(expected)


@pytest.mark.parametrize("cut", ["fxc1", "fxc2"])
def test_the_float_head_of_the_folded_network_is_that_of_the_original(
    networks: tuple[Any, Any], cut: str
) -> None:
    heads = [backbone(_NAME).float_head(network, cut) for network in networks]
    for a, b in zip(heads[0].convolutions, heads[1].convolutions, strict=True):
        np.testing.assert_array_equal(a, b)


def test_folding_again_changes_no_bit(networks: tuple[Any, Any]) -> None:
    arrays = model_arrays(networks[1])
    again = folded(arrays)
    assert again.keys() == arrays.keys()
    for name, values in arrays.items():
        assert again[name].dtype == np.float32
        np.testing.assert_array_equal(again[name], values)


@pytest.mark.parametrize("missing", ["stem/kernel", "stem_norm/moving_variance"])
def test_arrays_of_another_network_are_not_folded(networks: tuple[Any, Any], missing: str) -> None:
    arrays = model_arrays(networks[0])
    del arrays[missing]
    with pytest.raises(InputError, match=f"no weights for {missing}"):
        folded(arrays)
