"""The messages that a board sends about learning and heads, as docs/PROTOCOL.md lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from pipeline.head import Outcome
from pipeline.protocol.constants import HeadSource, MessageType
from pipeline.protocol.payload import Reader, pack, pack_string


@dataclass(frozen=True)
class Learned:
    """LEARNED: what one labelled window did to the learned head, whose probabilities of the label
    these are. ``serves``: this head now answers, not the shipped one."""

    TYPE: ClassVar = MessageType.LEARNED
    end_index: int
    activity: int
    outcome: Outcome
    serves: bool
    updates: int
    probability_before: float
    probability_after: float
    head_crc: int
    update_count: int

    def encode(self) -> bytes:
        return pack(
            "IBBBIffII",
            self.end_index,
            self.activity,
            self.outcome,
            self.serves,
            self.updates,
            self.probability_before,
            self.probability_after,
            self.head_crc,
            self.update_count,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(
            end_index=reader.u32(),
            activity=reader.u8(),
            outcome=reader.choice(Outcome),
            serves=reader.flag("serves"),
            updates=reader.u32(),
            probability_before=reader.probability(),
            probability_after=reader.probability(),
            head_crc=reader.u32(),
            update_count=reader.u32(),
        )
        reader.done()
        return message


@dataclass(frozen=True)
class HeadState:
    """HEAD_STATE: where the head in use comes from and what it has learned.

    ``serves``: the learned head answers, not the shipped one. ``sequence``: of the newest record
    in flash, 0 when there is none. ``judged``: labels that both heads were tried on before they
    were learned. ``held``: windows held back, never learned, of which the head that serves gets
    ``held_right`` right; ``stored``, of ``capacity``: windows kept, held back or to be learned
    again. ``evidence``: mistakes of the shipped head before the learned one may serve. Times are
    Unix times, 0 where unknown. ``labels`` by activity; ``taught`` names those behind the model's.
    """

    TYPE: ClassVar = MessageType.HEAD_STATE
    source: HeadSource
    serves: bool
    unsaved: bool
    can_undo: bool
    sequence: int
    updates: int
    head_crc: int
    records: int
    features: int
    rows: int
    judged: int
    shipped_right: int
    learned_right: int
    undone: int
    held: int
    held_right: int
    stored: int
    capacity: int
    evidence: int
    since_s: int
    saved_s: int
    labels: tuple[int, ...]
    taught: tuple[str, ...]

    @property
    def evidence_missing(self) -> int:
        """Mistakes of the shipped head that are missing before the learned one may serve."""
        return max(0, self.evidence - max(0, self.judged - self.shipped_right))

    def encode(self) -> bytes:
        head = pack(
            "BBBBIIIBHB", self.source, self.serves, self.unsaved, self.can_undo, self.sequence,
            self.updates, self.head_crc, self.records, self.features, self.rows,
        )  # fmt: skip
        guard = pack(
            "IIIIHHHHH", self.judged, self.shipped_right, self.learned_right, self.undone,
            self.held, self.held_right, self.stored, self.capacity, self.evidence,
        )  # fmt: skip
        times = pack("II", self.since_s, self.saved_s)
        labels = pack(f"B{len(self.labels)}I", len(self.labels), *self.labels)
        return head + guard + times + labels + b"".join(map(pack_string, self.taught))

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(
            source=reader.choice(HeadSource),
            serves=reader.flag("serves"),
            unsaved=reader.flag("unsaved"),
            can_undo=reader.flag("can_undo"),
            sequence=reader.u32(),
            updates=reader.u32(),
            head_crc=reader.u32(),
            records=reader.u8(),
            features=reader.u16(),
            rows=reader.u8(),
            judged=reader.u32(),
            shipped_right=reader.u32(),
            learned_right=reader.u32(),
            undone=reader.u32(),
            held=reader.u16(),
            held_right=reader.u16(),
            stored=reader.u16(),
            capacity=reader.u16(),
            evidence=reader.u16(),
            since_s=reader.u32(),
            saved_s=reader.u32(),
            labels=tuple(reader.u32() for _ in range(reader.u8())),
            taught=tuple(reader.strings()),
        )
        reader.require(
            message.held_right <= message.held <= message.stored <= message.capacity,
            f"counts {message.held_right} right of {message.held} held back of {message.stored} "
            f"stored of {message.capacity}",
        )
        activities = len(message.labels)
        reader.require(
            len(message.taught) < activities <= message.rows,
            f"has {len(message.taught)} names of {activities} activities in {message.rows} rows",
        )
        reader.require(all(message.taught), "has an activity without a name")
        return message


@dataclass(frozen=True)
class Named:
    """NAMED: the number of the activity that was added."""

    TYPE: ClassVar = MessageType.NAMED
    activity: int

    def encode(self) -> bytes:
        return pack("B", self.activity)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.u8())
        reader.done()
        return message


@dataclass(frozen=True)
class HeadData:
    """HEAD_DATA: a piece of the head in use, as docs/STORAGE.md lays out its payload."""

    TYPE: ClassVar = MessageType.HEAD_DATA
    offset: int
    data: bytes

    def encode(self) -> bytes:
        return pack("I", self.offset) + self.data

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        return cls(reader.u32(), reader.take(reader.left))


@dataclass(frozen=True)
class HeadWritten:
    """HEAD_WRITTEN: the staging buffer now holds bytes 0 .. ``end_offset`` - 1."""

    TYPE: ClassVar = MessageType.HEAD_WRITTEN
    end_offset: int

    def encode(self) -> bytes:
        return pack("I", self.end_offset)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.u32())
        reader.done()
        return message
