"""Starts the firmware without a board: on an emulated Cortex-M4F (QEMU) or as a host process.

Both speak over a TCP port of this machine and keep their learned heads in the first 64 KB of a
flash file, which has the same format for both. Killing them is a true power cut: what the
firmware had written is in the file, and nothing else.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Literal

from pipeline.core.errors import ExternalError, InputError
from pipeline.sim.sensor_replay import HEADER_BYTES, read_played

Target = Literal["host", "mps2"]
TARGETS: tuple[Target, ...] = ("host", "mps2")

FLASH_REGION_BYTES = 64 * 1024  # kept for learned heads
FLASH_FILE_BYTES = 16 * 1024 * 1024  # the machine's external RAM; sparse after the region
EXCHANGE_BYTES = 8 * 1024 * 1024  # of it for tools; constants of theirs may lie behind
SENSOR_OFFSET = 0x200000  # in it: the recording that the emulated core plays
SENSOR_BYTES_MAX = FLASH_FILE_BYTES - SENSOR_OFFSET
READY_LINE = b"har: ready"
READY_TIMEOUT_S = 10.0
POLL_S = 0.005

QEMU = "qemu-system-arm"
# shift=6: one instruction is 64 ns of virtual time, so every count repeats exactly. sleep=on: an
# idle firmware waits in real time instead of racing through virtual time on a busy core.
ICOUNT = "shift=6,sleep=on"


def launch(
    target: Target,
    image: Path,
    flash: Path,
    *,
    port: int = 0,
    sensor: Path | None = None,
) -> Emulator:
    """Boots `image` (see `build_firmware`) and returns when it listens.

    `flash` is created when it does not exist. `port` is the TCP port on 127.0.0.1; 0 takes a free
    one. `sensor` is a recording (see `write_played`) that the board plays in real time, again and
    again, as what its own motion sensor measures. The emulator dies with this process, however that
    ends. Raises `ExternalError` when QEMU, the image, the recording or the flash file cannot be
    had, or the firmware does not start, `InputError` for an invalid flash file or recording.
    """
    check_runnable(target, image)
    recording = b"" if sensor is None else read_played(sensor)
    if len(recording) > SENSOR_BYTES_MAX:
        raise InputError(f"{sensor} is longer than an emulated board can play: choose one subject")
    lock = open_flash(flash)
    try:
        _put_recording(lock, recording if target == "mps2" else b"")
        with _listen(port) as listener:
            number: int = listener.getsockname()[1]
            command = _serial_command(target, image, flash, listener.fileno(), sensor)
            emulator = Emulator(command, listener.fileno(), number, lock)
    except BaseException:
        lock.close()
        raise
    try:
        emulator.wait_ready()
    except BaseException:
        emulator.kill()
        raise
    return emulator


class Emulator:
    """A running firmware. A context manager: leaving it cuts the power."""

    def __init__(
        self, command: list[str], listen_fd: int, port_number: int, flash_lock: BinaryIO
    ) -> None:
        self._flash_lock = flash_lock
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed by kill)
        self.process = spawn(command, self._log, pass_fds=(listen_fd,))
        self._port_number = port_number

    @property
    def port(self) -> str:
        """The serial line's name for pyserial, `socket://127.0.0.1:N`."""
        return f"socket://127.0.0.1:{self._port_number}"

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        """What the emulator and the firmware (asserts, faults) wrote apart from the serial line."""
        if self._log.closed:
            return ""
        return _contents(self._log).decode(errors="replace")

    def wait_ready(self) -> None:
        """Waits until the firmware has started. Raises `ExternalError` when it does not."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while READY_LINE not in _contents(self._log):
            if not self.running:
                said = " ".join(self.log.split()) or f"exit code {self.process.returncode}"
                raise ExternalError(
                    f"the emulated board did not start: {said}; build the firmware again and retry"
                )
            if time.monotonic() > deadline:
                raise ExternalError(
                    f"the emulated board did not start within {READY_TIMEOUT_S:g} s: is this "
                    "machine overloaded? Retry"
                )
            time.sleep(POLL_S)

    def kill(self) -> None:
        """Cuts the power. Twice is allowed."""
        end(self.process)
        self._flash_lock.close()
        self._log.close()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()


def check_runnable(target: Target, image: Path) -> None:
    """Raises unless `image` is there and this machine can run it."""
    if target not in TARGETS:
        raise InputError(f"no target {target!r}; there are {' and '.join(TARGETS)}")
    if not image.is_file():
        raise ExternalError(f"no firmware image {image}: build it first (har build)")
    if target == "mps2" and shutil.which(QEMU) is None:
        raise ExternalError(
            f"{QEMU} is not installed: run `sudo apt-get install --no-install-recommends "
            "qemu-system-arm`, or use --target host"
        )


def open_flash(path: Path) -> BinaryIO:
    """Creates a flash file, all erased, unless it exists; returns it open and locked.

    Closing the file unlocks it. Raises `ExternalError` when it cannot be used or is in use.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")
    except OSError as error:
        raise ExternalError(f"cannot use the flash file {path}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = file.seek(0, os.SEEK_END)
        if size not in (0, FLASH_REGION_BYTES, FLASH_FILE_BYTES):
            file.close()
            raise InputError(
                f"{path} is not a flash file ({size:,} bytes, not {FLASH_FILE_BYTES:,}): "
                "give another"
            )
        if size < FLASH_REGION_BYTES:
            file.write(b"\xff" * (FLASH_REGION_BYTES - size))
            file.flush()
        if size < FLASH_FILE_BYTES:
            file.truncate(FLASH_FILE_BYTES)
    except BlockingIOError:
        file.close()
        raise ExternalError(
            f"the flash file {path} is in use by another emulator: end that or name another file"
        ) from None
    except OSError as error:
        file.close()
        raise ExternalError(f"cannot use the flash file {path}: {error.strerror}") from None
    return file


def qemu_command(image: Path, memory_file: Path, *more: str) -> list[str]:
    """QEMU with `memory_file` (16 MB) as the external RAM at 0x21000000, shared with this host."""
    memory = f"memory-backend-file,id=psram,size=16M,share=on,mem-path={_comma_safe(memory_file)}"
    return [
        *(QEMU, "-M", "mps2-an386,memory-backend=psram", "-m", "16M", "-object", memory),
        *("-icount", ICOUNT, "-semihosting-config", "enable=on,target=native"),
        *("-display", "none", "-monitor", "none", "-nodefaults", *more),
        *("-kernel", str(image)),
    ]


def exchange(
    target: Target,
    image: Path,
    request: bytes,
    size: int,
    timeout_s: float,
    what: str,
    remedy: str,
    options: tuple[str, ...] = (),
) -> bytes:
    """Run a program on ``request`` in the exchange memory (firmware/tools); the first ``size``
    bytes that are there when it has ended. ``options``: more of QEMU's. Raises as `check_runnable`
    and `run_to_end`."""
    check_runnable(target, image)
    with tempfile.TemporaryDirectory(prefix="har-exchange-") as scratch:
        memory = Path(scratch) / "exchange"
        with open_flash(memory) as file:
            file.seek(FLASH_REGION_BYTES)
            file.write(request)
        command = [str(image), str(memory)]
        run_to_end(
            qemu_command(image, memory, *options) if target == "mps2" else command,
            timeout_s,
            what,
            remedy,
        )
        with memory.open("rb") as file:
            file.seek(FLASH_REGION_BYTES)
            return file.read(size)


def _put_recording(flash: BinaryIO, recording: bytes) -> None:
    """Where the emulated core looks for one at its start; a former one is forgotten."""
    flash.seek(SENSOR_OFFSET)
    if recording or flash.read(HEADER_BYTES) != bytes(HEADER_BYTES):
        flash.seek(SENSOR_OFFSET)
        flash.write(recording or bytes(HEADER_BYTES))
        flash.flush()


def _serial_command(
    target: Target, image: Path, flash: Path, listen_fd: int, sensor: Path | None
) -> list[str]:
    if target == "host":
        command = [str(image.resolve()), "--listen-fd", str(listen_fd), "--flash", str(flash)]
        return command if sensor is None else [*command, "--sensor", str(sensor)]
    line = f"socket,id=line,fd={listen_fd},server=on,wait=off,nodelay=on"
    return qemu_command(image, flash, "-chardev", line, "-serial", "chardev:line")


def _comma_safe(path: Path) -> str:
    return str(path).replace(",", ",,")  # QEMU's way to escape a comma


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(4)
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        raise ExternalError(
            f"cannot listen on 127.0.0.1:{port}: {why}; choose another port"
        ) from None
    return listener


def _contents(log: BinaryIO | tempfile._TemporaryFileWrapper[bytes]) -> bytes:
    # pread: the child writes through the same file offset, which must not move.
    return os.pread(log.fileno(), 1 << 16, 0)


# ---- processes that never outlive us -------------------------------------------------------------


def spawn(
    command: list[str],
    log: BinaryIO | tempfile._TemporaryFileWrapper[bytes],
    pass_fds: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Starts a child that dies with this process: at exit, and on Linux also at SIGKILL."""
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", "--", *command]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C is for us: we end the child in order
        )

    try:
        process = _spawner().submit(start).result()
    except OSError as error:
        raise ExternalError(f"cannot start {command[0]}: {error.strerror}") from None
    _children().append(process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Kills and reaps a child of `spawn`. Twice is allowed."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()
    with contextlib.suppress(ValueError):
        _children().remove(process)


def run_to_end(command: list[str], timeout_s: float, what: str, remedy: str) -> None:
    """Runs a program to its end.

    Raises ExternalError when it does not within ``timeout_s`` seconds (``remedy`` says what to do),
    or ends with another code than 0. ``what`` runs there, for these messages.
    """
    with tempfile.TemporaryFile() as log:
        process = spawn(command, log)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ExternalError(
                f"{what} did not finish within {timeout_s:.0f} s; {remedy}"
            ) from None
        finally:
            end(process)
        if code:
            said = " ".join(_contents(log).decode(errors="replace").split())
            raise ExternalError(f"{what} stopped with code {code} {said}".rstrip())


@functools.cache
def _spawner() -> ThreadPoolExecutor:
    # The kernel sends the parent-death signal when the *thread* that forked ends: so one thread,
    # which lives as long as the process, starts all children.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="har-spawn")


@functools.cache
def _children() -> list[subprocess.Popen[bytes]]:
    children: list[subprocess.Popen[bytes]] = []

    def end_all() -> None:
        for process in list(children):
            end(process)

    atexit.register(end_all)
    return children
