"""Many independent jobs, each done once, on this machine's cores or on a cluster."""

from pipeline.experiments.jobs.cluster import Cluster, WorkerDied, Workers, this_worker
from pipeline.experiments.jobs.run import Finished, JobSet, Progress, run_jobs

__all__ = [
    "Cluster",
    "Finished",
    "JobSet",
    "Progress",
    "WorkerDied",
    "Workers",
    "run_jobs",
    "this_worker",
]
