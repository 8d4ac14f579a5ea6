from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.data.safe_pickle import MAX_OPCODES, NUMPY_GLOBALS, InertArray, load_pickle


class Evil:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def load(data: bytes) -> Any:
    return load_pickle(data, NUMPY_GLOBALS, "file.bin, member m")


def test_arrays_of_numbers_and_objects_come_back() -> None:
    numbers = np.arange(12.0).reshape(3, 4)
    names = np.array(["a", "b"], dtype=object)
    content = pickle.dumps([numbers, np.asfortranarray(numbers), np.arange(3), names], protocol=2)
    first, second, third, fourth = load(content)
    assert isinstance(first, InertArray)
    assert np.array_equal(first.value, numbers)
    assert np.array_equal(second.value, numbers)
    assert third.value.tolist() == [0, 1, 2]
    assert fourth.value == ["a", "b"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, "system"), (subprocess.Popen, "Popen"), (eval, "eval"), (getattr, "getattr")],
)
def test_a_call_of_anything_else_is_refused_by_name_and_not_made(
    function: Callable[..., Any], name: str, protocol: int, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    data = pickle.dumps(Evil(function, f"touch {trace}"), protocol=protocol)
    with pytest.raises(InputError, match=rf"file\.bin, member m.*{name}"):
        load(data)
    assert not trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"c__builtin__\nexec\n.",
        b"cbuiltins\nobject\n.",
        b"cpandas.core.frame\nDataFrame\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        b"cnumpy\nndarray.__subclasses__\n.",
    ],
)
def test_other_names_of_allowed_modules_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="outside the allow-list"):
        load(data)


@pytest.mark.parametrize(
    "data",
    [
        b"Pid\n.",
        b"Vid\nQ.",
        b"\x80\x02\x82\x01.",
        b"(ios\nsystem\n.",
        b"(cnumpy\ndtype\no.",
        b"\x80\x02cnumpy\ndtype\n)\x81.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"Np99999999\n.",
        b"",
        b"N",
        b"\x80\x63N.",
        b"]" * (MAX_OPCODES + 1) + b".",
        b"X\xff\xff\xff\xff.",
    ],
    ids=str,
)
def test_opcodes_that_have_no_business_here_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"file\.bin, member m.*refused"):
        load(data)


def build_array(shape: bytes, kind: bytes, payload: bytes) -> bytes:
    """A pickle of one array whose shape, type and data are opcodes of choice."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"
        b"(I1\n" + shape + b"cnumpy\ndtype\n(V" + kind + b"\nI0\nI1\ntR"
        b"(I3\nV<\nNNNI-1\nI-1\nI0\ntbI00\n" + payload + b"tb."
    )


EIGHT_BYTES = b"c_codecs\nencode\n(V12345678\nVlatin1\ntR"


def test_a_hand_made_array_loads_so_that_the_refusals_below_mean_something() -> None:
    array = load(build_array(b"(I1\nt", b"f8", EIGHT_BYTES))
    assert array.value.tolist() == np.frombuffer(b"12345678").tolist()


@pytest.mark.parametrize(
    ("shape", "kind", "payload"),
    [
        (b"(I2\nt", b"f8", EIGHT_BYTES),
        (b"(I-1\nt", b"f8", EIGHT_BYTES),
        (b"(I1\nI1\nI1\nt", b"f8", EIGHT_BYTES),
        (b"(L99999999999999999999L\nt", b"f8", EIGHT_BYTES),
        (b"(I01\nt", b"f8", EIGHT_BYTES),
        (b"V1\n", b"f8", EIGHT_BYTES),
        (b"(I1\nt", b"O8", EIGHT_BYTES),
        (b"(I1\nt", b"V8", EIGHT_BYTES),
        (b"(I1\nt", b"f8", b"V12345678\n"),
        (b"(I1\nt", b"f8", b"c_codecs\nencode\n(V12345678\nVutf-7\ntR"),
        (b"(I2\nt", b"O8", b"(lNa"),
    ],
)
def test_array_states_that_lie_are_refused(shape: bytes, kind: bytes, payload: bytes) -> None:
    with pytest.raises(InputError, match="refused"):
        load(build_array(shape, kind, payload))


def test_a_pickle_cannot_alter_what_later_loads_use() -> None:
    for name in (b"_codecs\nencode", b"numpy\nndarray", b"numpy\ndtype"):
        with pytest.raises(InputError):
            load(b"c" + name + b"\n}Vx\nI1\nsb.")
        with pytest.raises(InputError):
            load(b"c" + name + b"\n(N}V__defaults__\n(I1\ntstb.")
    assert load(build_array(b"(I1\nt", b"f8", EIGHT_BYTES)).value.shape == (1,)


def test_reconstruct_builds_nothing_but_arrays() -> None:
    with pytest.raises(InputError, match="not an ndarray"):
        load(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntVb\ntR.")


@given(st.data())
def test_bit_flips_and_cuts_give_an_answer_or_a_refusal_and_nothing_else(data: Any) -> None:
    good = pickle.dumps({"a": [np.arange(4.0), np.array(["x"], dtype=object)]}, protocol=2)
    broken = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(good)))
    for candidate in (bytes(broken), good[:cut]):
        try:
            load(candidate)
        except InputError as error:
            assert "\n" not in str(error)
