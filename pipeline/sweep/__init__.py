"""Many jobs, each done once, by workers on one machine or several that share a database."""

from pipeline.sweep.once import made_once
from pipeline.sweep.progress import Finished, Progress
from pipeline.sweep.run import Sweep, check_workers, run_sweep
from pipeline.sweep.storage import study_file

__all__ = [
    "Finished",
    "Progress",
    "Sweep",
    "check_workers",
    "made_once",
    "run_sweep",
    "study_file",
]
