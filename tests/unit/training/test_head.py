import numpy as np

from pipeline.training.classifier import fit_head


def test_separable_features_are_learned_exactly() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    centres = np.array([[4.0, 0, 0, 1], [0, 4.0, 0, 1], [0, 0, 4.0, 1]])
    features = centres[labels] + rng.normal(0, 0.3, (300, 4))
    weights, bias = fit_head(features, labels, 3)
    assert weights.shape == (3, 4) and weights.dtype == np.float32
    assert ((features @ weights.T + bias).argmax(1) == labels).all()


def test_a_feature_that_never_moves_does_not_break_the_fit() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 50)
    features = np.stack([labels + rng.normal(0, 0.1, 50), np.zeros(50)], axis=1)
    weights, bias = fit_head(features, labels, 2)
    assert np.isfinite(weights).all() and np.isfinite(bias).all()
