"""Pretraining of extractors, training of heads, and the metrics both are judged by."""

from pipeline.training.metrics import Scores, score
from pipeline.training.pretrained import Pretrained, load_pretrained
from pipeline.training.train import TrainedModel, load_trained, train

__all__ = [
    "Pretrained",
    "Scores",
    "TrainedModel",
    "load_pretrained",
    "load_trained",
    "score",
    "train",
]
