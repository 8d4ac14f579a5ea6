from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from pipeline.experiments.jobs.interrupts import held_back


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_what_is_begun_is_ended_before_ctrl_c_is_heard() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back() as release:
        _interrupt()
        done.append("claimed")
        release()
        done.append("never")
    assert done == ["claimed"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_release_it_is_heard_at_the_end() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        _interrupt()
        done.append("all of it")
    assert done == ["all of it"]


def test_after_the_release_it_is_heard_at_once() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back() as release:
        release()
        _interrupt()
        done.append("never")
    assert done == []


def test_what_goes_well_and_what_fails_leave_ctrl_c_as_it_was() -> None:
    with held_back():
        pass
    with pytest.raises(ValueError, match="of its own"), held_back():
        raise ValueError("of its own")
    with pytest.raises(KeyboardInterrupt):
        _interrupt()


def test_another_thread_changes_nothing() -> None:
    seen = []

    def look() -> None:
        with held_back():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
