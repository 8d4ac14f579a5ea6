"""Stand-ins for training: plain functions, so that worker processes can be given them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pipeline.experiments.search import Candidate, Material, count_cost


def made_up(material: Material, candidate: Candidate, draw: int, epochs: int, seed: int) -> float:
    """More parameters help, a little; so do epochs. No training, no noise."""
    cost = count_cost(candidate, 6, len(material.activities))
    assert cost is not None
    return 1.0 - 1.0 / (2.0 + cost.parameters / 5000 + 0.01 * epochs + 0.001 * (draw + seed))


def slow(material: Material, candidate: Candidate, draw: int, epochs: int, seed: int) -> float:
    """`made_up`, slowly enough that two workers must share; tells its process by a file."""
    (Path(os.environ["SEARCH_TEST_PIDS"]) / str(os.getpid())).touch()
    time.sleep(0.3)
    return made_up(material, candidate, draw, epochs, seed)


def interrupted(*_: object) -> float:
    """Ctrl-C in the middle of training."""
    raise KeyboardInterrupt


def killed(*_: object) -> float:
    """The power goes."""
    os._exit(9)


def broken(*_: object) -> float:
    """A bug."""
    raise RuntimeError("no such luck")
