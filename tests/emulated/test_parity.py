"""The compiled engine on the Cortex-M4F gives TFLite-Micro's bytes, and equal counts each time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.device.parity import run_parity
from pipeline.device.signals import parity_inputs
from pipeline.errors import HonestNo, InputError
from tests.support.tflite_builder import *  # noqa: F403
