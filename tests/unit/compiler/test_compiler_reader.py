"""A .tflite is hostile input: any damage ends in one clear error, never in a traceback."""

from __future__ import annotations

import functools
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.compiler import CompiledModel, UnsupportedModel, compile_model
from pipeline.compiler.reader import read_model
from pipeline.core.errors import CheckFailed, InputError
from tests.support.tflite_builder import RELU, Net


@functools.cache
def _good() -> bytes:
    net = Net(1, (1, 6, 6, 2))
    x = net.conv(net.input, 4, (3, 3), activation=RELU)
    x = net.add(x, net.pool(net.depthwise(x), "MAX", (1, 1)))
    x = net.concatenate([net.pad(x, [(0, 0), (1, 0), (0, 1), (0, 0)])] * 2)
    return net.build(net.softmax(net.fully_connected(net.mean(x), 3)))


def _compiles_or_says_no(model: bytes) -> None:
    try:
        assert isinstance(compile_model(model), CompiledModel)
    except (InputError, CheckFailed) as error:
        assert "\n" not in str(error)


@settings(deadline=2000)
@given(st.data())
def test_any_flipped_bytes_compile_or_give_one_clear_error(data: st.DataObject) -> None:
    model = bytearray(_good())
    places = st.tuples(st.integers(0, len(model) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=4)):
        model[place] = value
    _compiles_or_says_no(bytes(model))


@settings(deadline=2000)
@given(st.data())
def test_any_planted_offset_or_length_gives_one_clear_error(data: st.DataObject) -> None:
    model = bytearray(_good())
    place = data.draw(st.integers(0, len(model) // 4 - 1)) * 4
    value = data.draw(st.sampled_from([0, 1, len(model), 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
    struct.pack_into("<I", model, place, value)
    _compiles_or_says_no(bytes(model))


@settings(deadline=2000)
@given(st.integers(0, len(_good()) - 1))
@example(0)
@example(8)
def test_any_truncation_gives_one_clear_error(length: int) -> None:
    _compiles_or_says_no(_good()[:length])


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x7fELF" * 9, b"PK\x03\x04" + bytes(90)])
def test_what_is_no_tflite_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(InputError, match="TFL3"):
        compile_model(content)


def test_an_operand_beyond_the_tensors_is_refused_with_its_place() -> None:
    net = Net(1, (1, 8))
    y = net.unary("RELU", net.input)
    net.model.graph.operators[0].inputs = [77]
    with pytest.raises(InputError, match="inputs of operator 0 name tensor 77 of 2"):
        read_model(net.build(y))


def test_two_subgraphs_are_refused() -> None:
    net = Net(1, (1, 8))
    y = net.unary("RELU", net.input)
    net.model.duplicate_graph()
    with pytest.raises(UnsupportedModel, match=r"2 subgraphs; one is needed\. An LSTM of tf_keras"):
        read_model(net.build(y))


def test_a_loop_is_named_with_its_place() -> None:
    net = Net(1, (1, 8))
    y = net.unary("RELU", net.input)
    z = net.unary("RELU", y)
    net.model.operator("WHILE", [y.index], [z.index], "WhileOptions", condSubgraphIndex=1)
    net.model.duplicate_graph()
    with pytest.raises(UnsupportedModel, match=r"WHILE\): WHILE \(operator 2\): 2 subgraphs;"):
        read_model(net.build(z))
