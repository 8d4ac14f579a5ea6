"""Bytes of messages and records, declared once: the annotations of a dataclass are its layout.

Fields follow each other in their order, numbers are little-endian:

- `U8`, `U16`, `U32`, `F32`, and any other ``Annotated[..., Number(...)]``
- ``bool``: u8, 0 or 1
- an ``IntEnum``: u8, one of its members
- ``str``: length u8, then so many bytes of printable UTF-8
- ``bytes``: what reaches to the end; ``Annotated[bytes, Exactly(n)]``: n of them
- ``tuple[X, ...]``: as many as reach to the end; ``Annotated[tuple[X, ...], COUNTED]``: count u8,
  then so many; ``tuple[X, X, X]``: three
- a dataclass: its fields
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum
from math import inf, isnan
from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Malformed(ValueError):
    """Bytes that a declaration does not allow; the text begins with a verb ("has ...")."""


def require(condition: bool, problem: str) -> None:
    """Raises `Malformed` with ``problem`` unless ``condition``."""
    if not condition:
        raise Malformed(problem)


class Cursor:
    """Reads bytes from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes. Raises `Malformed` when there are fewer."""
        require(size <= self.left, f"ends after {len(self._data)} bytes, too early")
        self._at += size
        return self._data[self._at - size : self._at]


class Kind(Protocol):
    """How one field is written and read. Errors do not name it; the caller does."""

    def write(self, value: Any) -> bytes:
        """Raises ValueError for what does not fit."""

    def read(self, cursor: Cursor) -> Any:
        """Raises `Malformed`."""


@dataclass(frozen=True)
class Number:
    """A number by its code in `struct`. What arrives lies in ``low`` .. ``high``, else it is no
    ``what``; ``unknown`` stands for None."""

    code: str
    what: str = "number"
    low: float = -inf
    high: float = inf
    unknown: float | None = None

    def write(self, value: Any) -> bytes:
        try:
            return struct.pack(f"<{self.code}", self.unknown if value is None else value)
        except (struct.error, OverflowError) as error:
            raise ValueError(f"cannot hold {value}: {error}") from None

    def read(self, cursor: Cursor) -> Any:
        (value,) = struct.unpack(f"<{self.code}", cursor.take(struct.calcsize(f"<{self.code}")))
        unknown = self.unknown
        if unknown is not None and (value == unknown or (isnan(value) and isnan(unknown))):
            return None
        if self.what != "number":
            require(self.low <= value <= self.high, f"has a {self.what} of {value}")
        return value


U8 = Annotated[int, Number("B")]
U16 = Annotated[int, Number("H")]
U32 = Annotated[int, Number("I")]
F32 = Annotated[float, Number("f")]


class Flag:
    """Bit 0 of a byte; the other bits are 0."""

    def write(self, value: bool) -> bytes:
        return bytes([value])

    def read(self, cursor: Cursor) -> bool:
        (flags,) = cursor.take(1)
        require(flags <= 1, f"has unknown flags ({flags:#04x})")
        return flags != 0


@dataclass(frozen=True)
class Choice:
    members: type[IntEnum]

    def write(self, value: IntEnum) -> bytes:
        return bytes([value])

    def read(self, cursor: Cursor) -> IntEnum:
        (value,) = cursor.take(1)
        try:
            return self.members(value)
        except ValueError:
            kind = self.members.__name__.lower()
            raise Malformed(f"has an unknown {kind} ({value})") from None


class Text:
    def write(self, value: str) -> bytes:
        data = value.encode()
        if len(data) > 0xFF:
            raise ValueError(f"holds 255 bytes, not {len(data)}")
        return bytes([len(data)]) + data

    def read(self, cursor: Cursor) -> str:
        try:
            text = cursor.take(cursor.take(1)[0]).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("has a text that is not UTF-8") from None
        # What reaches a terminal must not steer it.
        require(text.isprintable(), "has a text with unprintable characters")
        return text


@dataclass(frozen=True)
class Exactly:
    """``size`` bytes; None: all that are left."""

    size: int | None = None

    def write(self, value: bytes) -> bytes:
        if self.size not in (None, len(value)):
            raise ValueError(f"holds {self.size} bytes, not {len(value)}")
        return value

    def read(self, cursor: Cursor) -> bytes:
        return cursor.take(cursor.left if self.size is None else self.size)


COUNTED = "counted"


@dataclass(frozen=True)
class Sequence:
    """``count`` items: so many, or as many as a u8 before them says (`COUNTED`), or as many as
    reach to the end (None)."""

    item: Kind
    count: int | str | None

    def write(self, value: tuple[Any, ...]) -> bytes:
        if self.count not in (None, COUNTED, len(value)):
            raise ValueError(f"holds {self.count} items, not {len(value)}")
        begin = Number("B").write(len(value)) if self.count == COUNTED else b""
        return begin + b"".join(self.item.write(item) for item in value)

    def read(self, cursor: Cursor) -> tuple[Any, ...]:
        if self.count is not None:
            count = cursor.take(1)[0] if self.count == COUNTED else int(self.count)
            return tuple(self.item.read(cursor) for _ in range(count))
        found = []
        while cursor.left:
            found.append(self.item.read(cursor))
        return tuple(found)


@dataclass(frozen=True)
class Group:
    declared: type[Any]

    def write(self, value: Any) -> bytes:
        return encode(value, self.declared)

    def read(self, cursor: Cursor) -> Any:
        return read(self.declared, cursor)


def layout(declared: type[Any]) -> dict[str, Kind]:
    """How the fields of a dataclass stand in bytes, by name."""
    if declared not in _LAYOUTS:
        hints = get_type_hints(declared, include_extras=True)
        _LAYOUTS[declared] = {f.name: _kind(hints[f.name]) for f in fields(declared)}
    return _LAYOUTS[declared]


_LAYOUTS: dict[type[Any], dict[str, Kind]] = {}


def encode(value: Any, declared: type[Any] | None = None) -> bytes:
    """The fields of a dataclass, or of its base ``declared``. Raises ValueError for one that does
    not fit."""
    pieces = []
    for name, kind in layout(declared or type(value)).items():
        try:
            pieces.append(kind.write(getattr(value, name)))
        except ValueError as error:
            raise ValueError(f"the field {name} {error}") from None
    return b"".join(pieces)


def read(declared: type[T], cursor: Cursor) -> T:
    """The fields of ``declared`` from the front of what is left. Raises `Malformed`."""
    values = []
    for name, kind in layout(declared).items():
        try:
            values.append(kind.read(cursor))
        except Malformed as error:
            raise Malformed(f"{error} in {name}") from None
    return declared(*values)


def decode(declared: type[T], data: bytes) -> T:
    """All of ``data``. Raises `Malformed` for a byte too few or too many, too."""
    cursor = Cursor(data)
    value = read(declared, cursor)
    require(cursor.left == 0, f"has {cursor.left} bytes too many")
    return value


def _kind(hint: Any) -> Kind:
    if get_origin(hint) is Annotated:
        plain, kind = get_args(hint)
        return Sequence(_kind(get_args(plain)[0]), COUNTED) if kind is COUNTED else kind
    if get_origin(hint) is tuple:
        items = get_args(hint)
        return Sequence(_kind(items[0]), None if items[-1] is ... else len(items))
    plain_kinds: dict[Any, Kind] = {bool: Flag(), str: Text(), bytes: Exactly()}
    if hint in plain_kinds:
        return plain_kinds[hint]
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return Choice(hint)
    if is_dataclass(hint):
        return Group(hint)  # type: ignore[arg-type]
    raise TypeError(f"no layout is declared for {hint}")
