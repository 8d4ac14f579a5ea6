"""Windows of a stream, in NumPy: the second computation of firmware/lib/window's ring."""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.head import SampleQuantization, quantize_samples


class WindowReference:
    """A window of ``length`` samples, complete every ``hop`` samples once full."""

    def __init__(self, length: int, hop: int, quantization: SampleQuantization) -> None:
        if not 1 <= hop <= length:
            raise InputError(f"window: hop {hop} must be 1 to {length} samples")
        self.length, self.hop = length, hop
        self._quantization = quantization
        self.restart()

    def restart(self) -> None:
        """Forgets all samples: no window straddles a gap."""
        self._rows = np.zeros((0, len(self._quantization.mean)), np.int8)
        self._until_next = self.length

    def push(self, samples: Array) -> list[tuple[int, Array]]:
        """Takes samples (n, C) in g and rad/s, without a gap to those before.

        Returns, for each window that they complete, the position in ``samples`` of its last
        sample and the window, int8 (length, C). Raises InputError, with nothing taken, when a
        value is not finite.
        """
        fresh = quantize_samples(samples, self._quantization)
        rows = np.concatenate([self._rows, fresh])
        before = len(self._rows)
        complete = []
        position = self._until_next - 1
        while position < len(fresh):
            end = before + position + 1
            complete.append((position, rows[end - self.length : end].copy()))
            position += self.hop
        self._until_next = position + 1 - len(fresh)
        self._rows = rows[-self.length :]
        return complete
