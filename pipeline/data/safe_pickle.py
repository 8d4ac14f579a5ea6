"""Reads old pickles of arrays without running anything they ask for.

The caller has checked the file's hash already; this is for the day when that is not enough. Three
walls, each enough against code execution:

1. The opcodes are scanned first: no persistent ids, extension registry or instance building, a
   bounded number of them, bounded memo indices, and a proper end.
2. ``find_class`` knows a short list of names, handed in by the reader of one file format.
3. Each known name leads to an inert stand-in, which the file may call and cannot alter. NumPy
   never sees a state that the file wrote: arrays are rebuilt here from checked shape, type and
   length.
"""

from __future__ import annotations

import io
import pickle
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError

# The bundled files hold about 23,000 and 5,000 opcodes. The bound also keeps nesting shallow
# enough for the interpreter's own recursion (hashing a tuple of tuples).
MAX_OPCODES = 40_000
MAX_DIMENSIONS = 2

_FORBIDDEN_OPCODES = {
    *("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"),
    *("BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER"),
}
_MEMO_OPCODES = {"PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"}


class Global:
    """What an allowed name leads to: the file may call it, or hand it on, and nothing else."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build

    def __call__(self, *arguments: Any) -> Any:
        return self._build(*arguments)

    def __setstate__(self, _: Any) -> None:
        # Without this method the unpickler would set attributes on what is shared by all loads.
        raise pickle.UnpicklingError("it sets the state of a global")


Globals = Mapping[tuple[str, str], Global]


class Inert:
    """Stand-in for an instance: keeps what the file says about it, does nothing with it."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class InertType(Inert):
    """Stand-in for numpy.dtype: a plain little-endian float64, int64 or object."""

    KINDS: Mapping[str, str] = {"f8": "<f8", "i8": "<i8", "O8": "|O"}

    def __init__(self, code: Any, *_: Any) -> None:
        super().__init__(code)
        if code not in self.KINDS:
            raise pickle.UnpicklingError(
                f"an array of type {reprlib.repr(code)}; only f8, i8 and O8 are read"
            )
        self.kind = self.KINDS[code]

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", "|"):
            raise pickle.UnpicklingError("an array type that is not little-endian")


class InertArray(Inert):
    """Stand-in for numpy.ndarray; ``value`` is an array, or a flat list of objects."""

    def __init__(self) -> None:
        super().__init__()
        self.value: npt.NDArray[Any] | list[Any] = []

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        if (
            not isinstance(shape, tuple)
            or len(shape) > MAX_DIMENSIONS
            or not all(type(n) is int and n >= 0 for n in shape)
            or not isinstance(dtype, InertType)
        ):
            raise pickle.UnpicklingError("an array whose shape or type is not understood")
        size = 1
        for n in shape:
            size *= n
        if dtype.kind == "|O":
            if not isinstance(data, list) or len(data) != size:
                raise pickle.UnpicklingError(f"an object array of shape {shape} without its items")
            self.value = data
            return
        if not isinstance(data, bytes) or len(data) != 8 * size:
            raise pickle.UnpicklingError(f"an array of shape {shape} without its bytes")
        flat = np.frombuffer(data, dtype=dtype.kind)
        self.value = flat.reshape(shape, order="F" if fortran else "C")


_NDARRAY = Global(InertArray)


def _reconstruct(kind: Any, _shape: Any, _typecode: Any) -> InertArray:
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError("_reconstruct of something that is not an ndarray")
    return InertArray()


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(
            f"_codecs.encode to {reprlib.repr(encoding)}; only latin1 is read"
        )
    return text.encode("latin1")


NUMPY_GLOBALS: Globals = {
    ("numpy.core.multiarray", "_reconstruct"): Global(_reconstruct),
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): Global(InertType),
    ("_codecs", "encode"): Global(_encode),
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, allowed: Globals) -> None:
        super().__init__(io.BytesIO(data))
        self._allowed = allowed

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return self._allowed[(module_name, global_name)]
        except KeyError:
            name = f"{module_name}.{global_name}"
            raise pickle.UnpicklingError(
                f"it names {reprlib.repr(name)}, which is outside the allow-list"
            ) from None


def _scan(data: bytes) -> None:
    """Walks the opcodes without executing them; raises on the first bad one."""
    import pickletools

    for count, (opcode, argument, position) in enumerate(pickletools.genops(data), start=1):
        if opcode.name in _FORBIDDEN_OPCODES:
            raise pickle.UnpicklingError(f"opcode {opcode.name} at byte {position}")
        if count > MAX_OPCODES:
            raise pickle.UnpicklingError(f"more than {MAX_OPCODES} opcodes at byte {position}")
        # The C unpickler allocates a memo as large as the largest index in the stream.
        if opcode.name in _MEMO_OPCODES and int(argument or 0) > MAX_OPCODES:
            raise pickle.UnpicklingError(f"memo index {argument} at byte {position}")


def load_pickle(data: bytes, allowed: Globals, where: str) -> Any:
    """Unpickles ``data`` with nothing but ``allowed``; arrays come back as InertArray.

    Raises:
        InputError: anything else than what the allow-list can build, named; ``where`` says which
            file and member.
    """
    try:
        _scan(data)
        return _Unpickler(data, allowed).load()
    # A hostile pickle can raise anything at all; whatever it is, the file is refused.
    except Exception as error:
        reason = ascii(str(error) or type(error).__name__)[1:-1][:200]
        raise InputError(
            f"{where}: this pickle is refused: {reason}; "
            "the file is damaged or tampered with: delete it and fetch again"
        ) from error
