"""One place that makes TensorFlow deterministic."""

from __future__ import annotations


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow and asks for deterministic kernels.

    Two runs on one machine give equal bits. Another CPU may choose other vector instructions in
    TensorFlow's kernels and differ in the last bits of the weights.
    """
    import tensorflow as tf
    import tf_keras

    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    # It merges a chain of additions into one, which adds in the order in which buffers are free.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
