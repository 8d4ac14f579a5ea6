"""Many jobs, each done once, by workers on one machine or several that share a database."""

from pipeline.core.files import build_cached
from pipeline.experiments.jobs.progress import Finished, Progress
from pipeline.experiments.jobs.run import Sweep, check_workers, run_sweep
from pipeline.experiments.jobs.storage import study_file

__all__ = [
    "Finished",
    "Progress",
    "Sweep",
    "build_cached",
    "check_workers",
    "run_sweep",
    "study_file",
]
