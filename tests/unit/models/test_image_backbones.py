"""The networks over pictures: as large as published, named in one way, refused in one line."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.bundle.convert import parameter_count, to_float
from pipeline.core.errors import InputError
from pipeline.models import backbone, backbone_names, initial_arrays
from pipeline.models.applications import CONSTRUCTORS
from pipeline.models.backbones import image_backbone_names
from pipeline.models.weights import model_arrays

NETWORKS = ("smallcnn", "squeezenet", "mobilenetv2")


def test_the_small_cnn_has_the_parameters_of_the_original() -> None:
    model = backbone("smallcnn").build(128, 6, 6, 0.0)
    rng = np.random.default_rng(0)
    for variable in model.weights:  # the converter keeps equal constants, such as zeros, once
        variable.assign(rng.uniform(0.1, 1.0, variable.shape))
    assert parameter_count(to_float(model)) == 549_478


@pytest.mark.slow("builds networks of hundreds of layers")
@pytest.mark.parametrize(
    ("name", "parameters"), [("mobilenetv2:1.0", 2_257_984), ("efficientnetb0", 4_049_564)]
)
def test_a_network_of_keras_has_all_that_the_original_has(name: str, parameters: int) -> None:
    network = backbone(name)
    model = network.build(128, 6, 6, 0.0)
    weights, bias = network.head(model)
    # Keras' own count without the top, and without the seven numbers of EfficientNet's
    # normalization of pictures.
    assert model.count_params() - weights.size - bias.size == parameters


@pytest.mark.slow("builds networks of hundreds of layers")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_flat_and_reads_its_picture_whatever_the_window(name: str) -> None:
    import tf_keras

    network = backbone(name)
    model = network.build(50, 3, 4, 0.3)
    assert network.image is not None
    size = (network.image.pixels, network.image.pixels, network.image.planes)
    assert model.input_shape == (None, *size) and model.output_shape == (None, 4)
    kinds = Counter(type(layer).__name__ for layer in model.layers)
    assert not {"Functional", "Sequential", "Lambda", "TFOpLambda"} & set(kinds)
    assert not {"Rescaling", "Normalization"} & set(kinds)
    assert all(type(layer).__module__.startswith(tf_keras.__name__) for layer in model.layers)
    x = np.random.default_rng(0).normal(size=(2, *size)).astype(np.float32)
    weights, bias = network.head(model)
    features = network.features(model, x)
    assert features.shape == (2, weights.shape[1])
    np.testing.assert_allclose(features @ weights.T + bias, model.predict(x, verbose=0), atol=1e-4)


@pytest.mark.slow("builds every network twice")
def test_names_of_weights_do_not_depend_on_what_was_built_before() -> None:
    network = backbone("inceptionv3")  # its layers have no names of their own
    first, second = (list(model_arrays(network.build(128, 6, 3, 0.0))) for _ in range(2))
    assert first == second and len(set(first)) == len(first)


def test_a_head_for_other_activities_keeps_the_extractor() -> None:
    network = backbone("squeezenet")
    model = network.build(128, 6, 3, 0.0)
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(5, network.head(model)[0].shape[1])).astype(np.float32)
    bias = rng.normal(size=5).astype(np.float32)
    copy = network.with_head(model, weights, bias)
    x = rng.normal(size=(3, 32, 32, 3)).astype(np.float32)
    expected = network.features(model, x) @ weights.T + bias
    np.testing.assert_allclose(copy.predict(x, verbose=0), expected, atol=1e-4)


def test_names_are_read_in_any_case_with_width_and_pixels() -> None:
    network = backbone("MobileNetV2:0.5@96")
    assert network.name == "mobilenetv2:0.5@96" and network.image is not None
    assert (network.image.pixels, network.image.planes) == (96, 3)
    assert (network.cuts, network.heads) == ({"fc": ("features",)}, ("logits",))
    inception = backbone("InceptionV3").image
    assert inception is not None and inception.pixels == 75
    small = backbone("smallcnn").image
    assert small is not None and (small.pixels, small.planes) == (32, 1)
    assert all(backbone(name).image is None for name in backbone_names())


def test_every_network_of_keras_has_a_name() -> None:
    import tf_keras

    theirs = {name for name in dir(tf_keras.applications) if name[0].isupper()}
    assert theirs == set(CONSTRUCTORS)
    assert len(image_backbone_names()) == len(set(image_backbone_names())) == len(theirs) + 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("alexnet", "unknown backbone 'alexnet'; known: dscnn, .*mobilenetv2, efficientnetb0"),
        ("mobilenetv2@16", "'mobilenetv2@16': give it 32 to 512 pixels a side"),
        ("inceptionv3@32", "75 to 512 pixels"),
        ("mobilenetv2@9999", "32 to 512 pixels"),
        ("mobilenetv2:x", "write NETWORK, NETWORK:WIDTH or NETWORK@PIXELS"),
        ("mobilenetv2:9", "the width is above 0 and at most 4"),
        ("smallcnn:0.5", "smallcnn has one width only"),
        ("vgg16:0.5", "vgg16 has one width only"),
    ],
)
def test_a_name_that_is_none_gets_one_line(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        backbone(name)
    assert "\n" not in str(caught.value)


def test_only_networks_of_keras_begin_with_imagenet() -> None:
    assert initial_arrays("dscnn", "imagenet") is None
    assert initial_arrays("smallcnn", "imagenet") is None
    with pytest.raises(InputError, match="no weights 'flowers'"):
        initial_arrays("mobilenetv2", "flowers")
