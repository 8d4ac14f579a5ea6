"""Your own .tflite as C: compile a small network, run it on this machine, compare every byte.
docs/OPERATORS.md says which networks are taken.

.venv/bin/python examples/custom_model.py FOLDER    # writes my_net.h and my_net.c
"""

import sys
from pathlib import Path

import numpy as np
import tf_keras
from tf_keras import layers

from pipeline.bundle.convert import to_int8
from pipeline.compiler import compile_model, run_tflm
from pipeline.sim.parity import run_compiled

tf_keras.utils.set_random_seed(0)
inputs = layers.Input((16, 1, 3))
x = layers.Conv2D(8, (5, 1), activation="relu")(inputs)
x = layers.Flatten()(layers.AveragePooling2D((12, 1))(x))
model = tf_keras.Model(inputs, layers.Dense(4)(x))

windows = np.random.default_rng(0).normal(size=(64, 16, 1, 3)).astype(np.float32)
tflite = to_int8(model, representative=windows)  # or: Path("yours.tflite").read_bytes()

network = compile_model(tflite, name="my_net")
for name, text in network.sources.items():
    (Path(sys.argv[1]) / name).write_text(text)
print(
    f"{network.macs:,} MACs, {network.weights_bytes:,} bytes of flash, {network.arena_bytes} of RAM"
)

samples = np.random.default_rng(1).integers(-128, 128, (32, 16, 1, 3), np.int8)
ours = run_compiled(compile_model(tflite), samples)  # built with this machine's C compiler
theirs = run_tflm(tflite, samples).outputs[0]
print(f"{len(samples)} inputs, {(ours != theirs).any(axis=1).sum()} differ from TFLite-Micro")
