"""Types that every room uses."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
"""An array whose shape and type are in the docstring of what takes or returns it."""
