"""Firmware and where it runs: build, emulate, flash, parity, bench."""
