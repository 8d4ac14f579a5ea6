"""The board: on USB, on its port, in what it answers, and in what its sensor measures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pipeline.board.client import Client
from pipeline.board.errors import BoardRefused
from pipeline.board.pace import U32
from pipeline.board.ports import boards, find_board
from pipeline.board.sensor_text import sensor_name, trouble
from pipeline.board.transport import open_port, permission_step, ports
from pipeline.core.errors import CheckFailed, ExternalError, HarError, InputError
from pipeline.doctor.check import Check, failed
from pipeline.doctor.motion import (
    Take,
    check_axes,
    check_lost,
    check_noise,
    check_rate,
    check_resting_gravity,
    check_zero,
)
from pipeline.protocol.messages import (
    PROTOCOL_VERSION,
    ErrorCode,
    HeadRollbackRequest,
    HeadState,
    Hello,
    Sensed,
    SensorState,
    Status,
    Target,
)

if TYPE_CHECKING:
    from grp import struct_group

SERIAL_GROUPS = ("dialout", "uucp")  # of Debian and Fedora, of Arch
STACK_SHARE_MAX = 0.8
RATE_SECONDS_MIN = 2.0
LISTEN_S = 0.5
HELLO_ATTEMPTS = 3


def check_permissions(port: str | None) -> Check | None:
    """May this user open ``port``, or serial ports at all? None where that cannot be determined."""
    name = "permissions"
    if port is not None:
        if os.name != "posix" or "://" in port:
            return None
        if os.access(port, os.R_OK | os.W_OK):
            return Check(name, "green", f"this user may open {port}")
        return Check(name, "red", f"this user may not open {port}", permission_step(port))
    group = _serial_group()
    if group is None:
        return None
    if os.geteuid() == 0 or group.gr_gid in {os.getegid(), *os.getgroups()}:
        return Check(name, "green", "this user may open serial ports")
    return Check(
        name,
        "yellow",
        f"this user is not in the group {group.gr_name}, which may open serial ports",
        f"sudo usermod -aG {group.gr_name} $USER, then log out and in again",
    )


def _serial_group() -> struct_group | None:
    try:
        import grp
    except ImportError:
        return None
    for name in SERIAL_GROUPS:
        try:
            return grp.getgrnam(name)
        except KeyError:
            continue
    return None


def check_ports() -> Check:
    """Which serial ports are there?"""
    there = ports()
    return Check("ports", "green", ", ".join(there) or "no serial port with hardware")


def check_usb(port: str | None) -> tuple[Check, str | None]:
    """The board that is meant, and its port, None when there is none."""
    try:
        chosen = find_board(port)
    except InputError as error:
        return failed("board", error, "yellow"), None
    except ExternalError as error:
        if port is not None:
            return failed("board", error), None
        there = "no board found on USB"
        return Check(
            "board", "yellow", there, "plug it in with a data cable, not a charging one"
        ), None
    names = {chosen, os.path.realpath(chosen)}
    found = next((board for board in boards() if board.device in names), None)
    if found is None:
        return Check("board", "green", f"{chosen}, as given"), chosen
    if found.bootloader:
        text = f"the board on {chosen} waits in its bootloader"
        return Check("board", "yellow", text, "har flash, or press its button once"), None
    serial = f", serial number {found.serial}" if found.serial else ""
    return Check("board", "green", f"Nano 33 BLE Sense on {chosen}{serial}"), chosen


def examine_board(
    port: str, model_id: str | None, seconds: float, tell: Callable[[str], None]
) -> Iterator[Check]:
    """Opens ``port``, then as `examine_client`."""
    try:
        transport = open_port(port)
    except HarError as error:
        yield failed("port", error)
        return
    yield Check("port", "green", f"{port} opens")
    with Client(transport) as client:
        yield from examine_client(client, model_id, seconds, tell)


def examine_client(
    client: Client, model_id: str | None, seconds: float, tell: Callable[[str], None]
) -> Iterator[Check]:
    """All that a board can be asked, and its sensor over ``seconds`` s. ``model_id`` is the
    bundle's. What fails ends it as a red check."""
    try:
        hello = client.hello(attempts=HELLO_ATTEMPTS)
    except CheckFailed as error:
        yield Check("firmware", "green", "answers")
        yield failed("protocol", error)
        return
    except HarError as error:
        yield failed("firmware", error)
        return
    try:
        yield from _examine(client, hello, model_id, seconds, tell)
    except HarError as error:
        yield failed("session", error)


def _examine(
    client: Client,
    hello: Hello,
    model_id: str | None,
    seconds: float,
    tell: Callable[[str], None],
) -> Iterator[Check]:
    detail = f"har {hello.firmware_version} on {hello.target.name.lower()}"
    yield Check("firmware", "green", f"{detail}, engine {hello.engine.name.lower()}")
    yield Check("protocol", "green", f"version {PROTOCOL_VERSION}")
    yield check_model(hello, model_id)
    state = client.sensor()
    yield check_sensor(state, hello.target)
    if state.works:
        tell(f"listening to the sensor for {seconds:g} s: lay the board still, or turn it slowly")
        take = listen(client, seconds)
        after = client.sensor(send=False)
        yield check_rate(after, take)
        yield check_lost(take, state, after)
        yield check_zero(after, take)
        yield check_noise(take)
        yield check_resting_gravity(take)
        yield check_axes(take)
    yield check_storage(client)
    stack = check_stack(client.status())
    if stack is not None:
        yield stack


def check_model(hello: Hello, model_id: str | None) -> Check:
    """Does the board run the bundle's model?"""
    found = hello.model_id.hex()
    if model_id is None:
        return Check(
            "model", "yellow", f"{found}, no bundle to compare it with", "make train quantize"
        )
    if found != model_id:
        return Check("model", "red", f"{found}, the bundle's is {model_id}", "har flash")
    taught = f"; taught: {', '.join(hello.taught)}" if hello.taught else ""
    return Check("model", "green", f"{found}, the bundle's{taught}")


def check_sensor(state: SensorState, target: Target) -> Check:
    """Is there a motion sensor that works?"""
    if state.works:
        warm = "" if state.celsius is None else f", processor {state.celsius:.0f} degrees C"
        return Check("sensor", "green", f"{sensor_name(state)}{warm}")
    if target != Target.NANO33BLE:
        text = "none: an emulated board has one only while a recording is played"
        return Check("sensor", "yellow", text, "har emulate --sensor hapt")
    what, remedy = trouble(state)
    return Check("sensor", "red", what, remedy)


def listen(client: Client, seconds: float) -> Take:
    """Takes what the board's own sensor gives for ``seconds`` s; it goes on sending."""
    rate_hz = client.board.rate_hz
    client.sensor(send=True)
    frames: list[Sensed] = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        sensed = client.sensed(min(LISTEN_S, left))
        if sensed is not None:
            frames.append(sensed)
    return gather(frames, rate_hz, seconds)


def gather(frames: list[Sensed], rate_hz: float, seconds: float) -> Take:
    """Frames in the order in which they came, put together where none is missing between. What is
    missing before the first was not listened for."""
    import numpy as np

    runs: list[list[Sensed]] = []
    sensor_lost = wire_lost = 0
    for frame in frames:
        missing = 0
        if runs:
            last = runs[-1][-1]
            missing = (frame.index - last.index - len(last.samples)) & U32
            sensor_lost += frame.lost
            wire_lost += max(0, missing - frame.lost)
        if missing or not runs:
            runs.append([])
        runs[-1].append(frame)
    measured_hz = None
    if frames:
        elapsed_s = ((frames[-1].time_ms - frames[0].time_ms) & U32) / 1000
        if elapsed_s >= RATE_SECONDS_MIN:
            measured_hz = ((frames[-1].index - frames[0].index) & U32) / elapsed_s
    pieces = tuple(np.concatenate([frame.samples for frame in run]) for run in runs)
    return Take(pieces, rate_hz, seconds, sensor_lost, wire_lost, measured_hz)


def check_storage(client: Client) -> Check:
    """Can what is learned be kept? Nothing is written: where no head is stored, going back to an
    earlier one is refused, with the reason."""
    head: HeadState = client.head()
    if head.records:
        unsaved = "; what was learned since is not saved" if head.unsaved else ""
        text = f"{head.records} stored heads, the newest is {head.sequence}{unsaved}"
        return Check("storage", "green", text)
    try:
        client.request(HeadRollbackRequest(), HeadState)
    except BoardRefused as error:
        if error.status != ErrorCode.STATE:
            return Check("storage", "red", error.text, "unplug the board for a second, then again")
    return Check("storage", "green", "usable, nothing stored yet")


def check_stack(status: Status) -> Check | None:
    """How deep the stack has been; None where the board cannot know."""
    if not status.stack_size:
        return None
    used, size = status.stack_used, status.stack_size
    detail = f"{used:,} of {size:,} bytes used at most, {size - used:,} left"
    if used > STACK_SHARE_MAX * size:
        return Check(
            "stack", "yellow", detail, "note what the board did before; this should not happen"
        )
    return Check("stack", "green", detail)
