"""A network that streams gives, hop by hop, the bytes of the whole window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.compiler import UnsupportedModel, compile_model, possible_hops, run_tflm
from tests.support.host_net import HostNet, run_sanitized
from tests.support.tflite_builder import RELU, SAME, VALID, Net, Value

CHANNELS = 3


def pooled(net: Net, x: Value, mean: bool) -> Value:
    if mean:
        return net.mean(x, keep_dims=False)
    return net.reshape(net.pool(x, "AVERAGE", x.shape[1:3]), (1, x.shape[3]))


def network(seed: int, padding: int = VALID) -> tuple[bytes, int]:
    """A depthwise-separable or plain convolutional network over time, and its window."""
    rng = np.random.default_rng(seed)
    window = int(rng.integers(60, 100))
    net = Net(seed, (1, window, 1, CHANNELS), scale=0.02, trained_like=True)
    taps = int(rng.choice([2, 3, 5]))
    x = net.conv(net.input, int(rng.integers(2, 12)), (taps, 1), (2, 1), padding, RELU)
    plain = seed % 3 == 2  # a map that a plain convolution reads cannot be pooled hop by hop
    features = [] if plain else [pooled(net, x, seed % 2 == 0)]
    for number in range(2):
        stride = int(rng.integers(1, 3))
        taps = int(rng.choice([3, 4, 5]))
        channels = int(rng.integers(2, 12))
        if plain and number == 0:
            x = net.conv(x, channels, (taps, 1), (stride, 1), padding, RELU)
        else:
            y = net.depthwise(x, 1, (taps, 1), (stride, stride), padding, RELU)
            x = net.conv(y, channels, activation=RELU)
            features.append(pooled(net, x, number == 1))
    outputs = [*features, net.softmax(net.fully_connected(features[-1], 5))]
    return net.build(*outputs), window


def one_dimensional(seed: int) -> tuple[bytes, int]:
    """As Keras' Conv1D arrives: each convolution between views, time along the image's rows."""
    rng = np.random.default_rng(seed)
    window = int(rng.integers(60, 100))
    net = Net(seed, (1, window, CHANNELS), scale=0.02, trained_like=True)
    x = net.input
    for _ in range(3):
        image = net.reshape(x, (1, 1, *x.shape[1:]))
        taps, stride = int(rng.integers(2, 6)), int(rng.integers(1, 3))
        y = net.conv(image, int(rng.integers(2, 9)), (1, taps), (1, stride), VALID, RELU)
        x = net.reshape(y, (1, *y.shape[2:]))
    return net.build(net.softmax(net.fully_connected(net.mean(x, (1,)), 5))), window


def expected(model: bytes, windows: np.ndarray) -> np.ndarray:
    shape = compile_model(model).inputs[0].shape[1:]
    outputs = run_tflm(model, windows.reshape(-1, *shape)).outputs
    return np.concatenate([out.reshape(len(windows), -1) for out in outputs], axis=1)


@pytest.mark.parametrize("seed", range(12))
def test_each_hop_after_any_restart_equals_the_whole_window(seed: int, tmp_path: Path) -> None:
    model, window = network(seed) if seed < 9 else one_dimensional(seed)
    rng = np.random.default_rng(100 + seed)
    hops = possible_hops(model)
    hop = int(rng.choice(hops))
    assert all(each % hops[0] == 0 for each in hops) and hops[-1] <= window // 2
    net = HostNet(compile_model(model, hop=hop), tmp_path)
    needed = -(-window // hop)
    ours, windows = [], []
    for _ in range(4):
        net.restart()
        runs = int(rng.integers(1, needed + 6))  # some end before a window is full
        samples = rng.integers(-128, 128, (runs * hop, CHANNELS)).astype(np.int8)
        answers = np.concatenate(net.run(samples.reshape(runs, hop, CHANNELS)), axis=1)
        for run in range(needed, runs + 1):
            ours.append(answers[run - 1])
            windows.append(samples[run * hop - window : run * hop])
    if windows:
        np.testing.assert_array_equal(np.stack(ours), expected(model, np.stack(windows)))


def test_streaming_is_clean_under_sanitizers(tmp_path: Path) -> None:
    model, _ = network(4)
    hop = possible_hops(model)[-1]
    compiled = compile_model(model, hop=hop)
    rng = np.random.default_rng(0)
    samples = rng.integers(-128, 128, (9, hop, CHANNELS)).astype(np.int8)
    net = HostNet(compiled, tmp_path / "plain")
    plain = np.concatenate(net.run(samples), axis=1)
    assert run_sanitized(compiled, tmp_path / "asan", samples) == plain.tobytes()


def test_a_restart_forgets_what_came_before(tmp_path: Path) -> None:
    model, window = network(1)
    hop = possible_hops(model)[0]
    net = HostNet(compile_model(model, hop=hop), tmp_path)
    rng = np.random.default_rng(3)
    runs = -(-window // hop)
    one, other = rng.integers(-128, 128, (2, runs, hop, CHANNELS)).astype(np.int8)

    def last(first: np.ndarray) -> bytes:
        net.restart()
        net.run(first)
        net.restart()
        return b"".join(out[-1].tobytes() for out in net.run(one))

    assert last(one) == last(other)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: network(0, SAME)[0], "operator 0 CONV_2D cannot stream: it pads"),
        (lambda: image(), r"the input of shape \(1, 12, 12, 3\) is no window of samples"),
        (lambda: with_local_pool(), "MAX_POOL_2D cannot stream"),
        (lambda: without_pool(), "has steps of time"),
        (lambda: shared_map(), "MEAN cannot stream: it reads a map"),
    ],
)
def test_what_cannot_stream_is_refused_by_name(make, reason: str) -> None:
    model = make()
    compile_model(model)
    with pytest.raises(UnsupportedModel, match=reason):
        compile_model(model, hop=4)


def image() -> bytes:
    net = Net(1, (1, 12, 12, 3), scale=0.02, trained_like=True)
    return net.build(pooled(net, net.conv(net.input, 4, (3, 3), (1, 1), VALID, RELU), True))


def with_local_pool() -> bytes:
    net = Net(1, (1, 40, 1, 3), scale=0.02, trained_like=True)
    x = net.pool(net.conv(net.input, 4, (3, 1), (1, 1), VALID, RELU), "MAX", (2, 1), (2, 1))
    return net.build(pooled(net, x, True))


def shared_map() -> bytes:
    net = Net(1, (1, 40, 1, 3), scale=0.02, trained_like=True)
    x = net.conv(net.input, 4, (3, 1), (1, 1), VALID, RELU)
    y = net.conv(x, 4, (3, 1), (1, 1), VALID, RELU)
    return net.build(pooled(net, x, True), pooled(net, y, True))


def without_pool() -> bytes:
    net = Net(1, (1, 40, 1, 3), scale=0.02, trained_like=True)
    return net.build(net.conv(net.input, 4, (3, 1), (1, 1), VALID, RELU))


def test_a_hop_that_the_strides_do_not_allow_is_refused_with_those_that_they_do() -> None:
    model, window = network(0)
    hops = possible_hops(model)
    for hop in (hops[0] - 1, hops[0] + 1, window, 0):
        with pytest.raises(UnsupportedModel, match=f"the strides allow {hops[0]}, {hops[1]}"):
            compile_model(model, hop=hop)
