"""The whole path in one run, measured: data, training, bundle, firmware, board, learning."""

from pipeline.demo.run import DemoSettings, run_demo

__all__ = ["DemoSettings", "run_demo"]
