"""The versions that a figure depends on."""

from __future__ import annotations

_PACKAGES = ("tensorflow-cpu", "tflite-micro", "ai-edge-litert", "numpy")


def versions(*more: str) -> dict[str, str]:
    """Of Python and the packages that a figure depends on: those of every figure, and ``more``."""
    from importlib.metadata import PackageNotFoundError, version
    from platform import python_version

    found = {"python": python_version()}
    for package in (*_PACKAGES, *more):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
