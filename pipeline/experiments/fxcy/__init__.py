"""How many of a pretrained network's last layers to train on the target: FxCy, every case with its
accuracy, energy and speed of convergence (Fragkou, Katsaros 2023; Lygnos 2022)."""

from pipeline.experiments.fxcy.jobs import Options
from pipeline.experiments.fxcy.run import Plan, Request, fxcy, make_plan

__all__ = ["Options", "Plan", "Request", "fxcy", "make_plan"]
