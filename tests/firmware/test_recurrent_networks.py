"""Networks with a state: TFLite-Micro's bytes run after run, and again after a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import emit, load_bundle
from pipeline.bundle.ready import ready_bundle
from pipeline.compiler import UnsupportedModel, compile_model, run_tflm
from pipeline.compiler.operators.recurrent import _sigmoid_table
from pipeline.compiler.oracle import _run
from pipeline.core.errors import CheckFailed
from pipeline.sim.emulator import TARGETS, Target
from pipeline.sim.parity import run_parity
from tests.support.host_net import HostNet, random_inputs
from tests.support.tflite_builder import RELU, VALID, Model, Net


def network(seed: int = 1) -> bytes:
    """A convolution, two LSTMs and a filter, with functions by table between them."""
    net = Net(seed, (1, 32, 1, 6), scale=0.02, trained_like=True)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    x = net.lstm(net.reshape(x, (1, x.shape[1], 8)), 6)
    x = net.lstm(net.unary("TANH", net.unary("QUANTIZE", x)), 4)
    last = net.strided_slice(x, (0, x.shape[1] - 1, 0), (1, 0, 4), (1, 1, 1), shrinkAxisMask=2)
    x = net.svdf(last, 5, 2, 6)
    return net.build(net.softmax(net.fully_connected(x, 4)))


def test_runs_depend_on_those_before_until_a_restart(tmp_path: Path) -> None:
    compiled = compile_model(network())
    assert compiled.has_state
    inputs = random_inputs(compiled.inputs[0].shape, 30, seed=2)
    again = np.concatenate([inputs[:3]] * 2)
    net = HostNet(compiled, tmp_path)
    (found,) = net.run(inputs)
    (expected,) = run_tflm(network(), inputs).outputs
    np.testing.assert_array_equal(found, expected.reshape(len(inputs), -1))
    net.restart()
    (twice,) = net.run(again)
    np.testing.assert_array_equal(twice[:3], found[:3])
    assert (twice[3:] != found[:3]).any()


@pytest.mark.emulated
@pytest.mark.parametrize("target", TARGETS)
def test_a_board_gives_the_oracles_bytes(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(network())
    report = run_parity(path, 20, 3, target)
    assert (report.compared, report.mismatches) == (20, 0)
    assert report.distinct_outputs > 10


def test_it_does_not_stream() -> None:
    with pytest.raises(UnsupportedModel, match="UNIDIRECTIONAL_SEQUENCE_LSTM cannot stream"):
        compile_model(network(), hop=4)


def test_no_bundle_is_emitted_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(ready_bundle("waist"))
    stateful = replace(bundle.compiled, has_state=True)
    monkeypatch.setattr(type(bundle), "compiled", property(lambda _: stateful))
    with pytest.raises(CheckFailed, match="an LSTM or SVDF"):
        emit(bundle, tmp_path / "generated")
    assert not (tmp_path / "generated").exists()


def test_the_table_of_sigmoids_is_the_one_that_tflm_s_tanh_of_int16_shows() -> None:
    """At an input scale of 1/48 its outputs for 0, 1, 2, ... are the table's entries."""
    model = Model()
    x = model.tensor((1, 256), 1 / 48, 0, kind="INT16")
    y = model.tensor((1, 256), 1 / 32768, 0, kind="INT16")
    model.operator("TANH", [x], [y])
    inputs = np.arange(256, dtype=np.int16)[None]
    (outputs,) = _run(model.pack([x], [y]), [inputs], 60.0).outputs
    np.testing.assert_array_equal(outputs.ravel().astype(int) + 32768, _sigmoid_table())
