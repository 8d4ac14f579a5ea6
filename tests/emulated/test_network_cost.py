"""What `har bench --model` counts: the same twice, in agreement with itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.compiler import compile_model
from pipeline.sim.cycles import Code, block_counter, model_cycles
from pipeline.sim.network_cost import network_cost
from pipeline.sim.parity import build_net, parity_inputs, run_net
from tests.support.tflite_builder import RELU, SAME, VALID, Net

pytestmark = pytest.mark.emulated


def network() -> bytes:
    net = Net(3, (1, 60, 1, 6), scale=0.02, trained_like=True)
    x = net.conv(net.input, 16, (5, 1), (2, 1), VALID, RELU)
    first = net.pool(x, "AVERAGE", x.shape[1:3])
    x = net.conv(net.depthwise(x, 1, (5, 1), (1, 1), SAME, RELU), 24, activation=RELU)
    return net.build(first, net.fully_connected(net.mean(x, keep_dims=False), 6))


def test_two_counts_are_equal_and_their_parts_add_up() -> None:
    compiled = compile_model(network())
    cost = network_cost("net", compiled)
    assert cost == network_cost("net", compiled)
    assert [layer.operator for layer in cost.layers] == [
        *("CONV_2D", "AVERAGE_POOL_2D", "DEPTHWISE_CONV_2D + CONV_2D", "MEAN", "FULLY_CONNECTED"),
    ]
    assert sum(layer.macs for layer in cost.layers) == cost.macs == compiled.macs
    counted = sum(layer.instructions for layer in cost.layers)
    assert abs(counted - cost.instructions) < 40 * len(cost.layers), "a call and a hook each"
    assert 1.2 < cost.cycles_model / cost.instructions < 1.6
    assert cost.instructions_per_mac == pytest.approx(cost.instructions / cost.macs, abs=1e-3)
    assert cost.arena_bytes == compiled.arena_bytes
    assert 0 < compiled.weights_bytes <= cost.constant_bytes < compiled.weights_bytes + 2048
    assert 1000 < cost.code_bytes < 4700 and 0 < cost.stack_bytes < 400


def test_conversions_of_floats_are_counted_with_the_network_and_each_in_a_row() -> None:
    net = Net(3, (1, 20, 1, 3), scale=0.02, trained_like=True)
    gyroscope = net.add_input((1, 16, 1, 3), like=net.input)
    net.float_input(net.input)
    net.float_input(gyroscope)
    features = [net.mean(net.conv(x, 4), keep_dims=False) for x in (net.input, gyroscope)]
    y = net.fully_connected(net.add(*features), 3)
    cost = network_cost("net", compile_model(net.build(y, net.dequantize(y))))
    rows = [(layer.operator, layer.shape) for layer in cost.layers]
    assert rows[:2] == [("QUANTIZE", (1, 20, 1, 3)), ("QUANTIZE", (1, 16, 1, 3))]
    assert rows[-1] == ("DEQUANTIZE", (1, 3))
    counted = [layer.instructions for layer in cost.layers]
    assert 48 * 8 < counted[1] < counted[0] < 60 * 40
    assert abs(sum(counted) - cost.instructions) < 40 * len(rows), "a call and a hook each"
    assert 1.2 < cost.cycles_model / cost.instructions < 2.5


def test_blocks_hold_the_instructions_that_the_board_s_own_counter_has(tmp_path: Path) -> None:
    compiled = compile_model(network())
    image = build_net("har_parity", compiled, "mps2", tmp_path)
    x = parity_inputs(1, (60, 1, 6), 3, 0)
    counter = block_counter(image.path, "har_net_run", "har_board_count_end", tmp_path)
    run = run_net(compiled, image, x, options=counter.options)
    blocks = model_cycles(counter.read(), Code(image.path.read_bytes()))
    assert run.counts is not None
    assert blocks.instructions == pytest.approx(int(run.counts[0]), abs=20)


def test_the_packed_network_takes_a_fifth_of_the_plain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = network_cost("net", compile_model(network()))
    monkeypatch.setattr("pipeline.compiler.compile.schedule", lambda graph: graph)
    plain = compile_model(network())
    image = build_net("har_parity", plain, "mps2", tmp_path)
    counts = run_net(plain, image, parity_inputs(1, (60, 1, 6), 3, 0)).counts
    assert counts is not None
    assert packed.instructions < 0.2 * int(counts[0])
