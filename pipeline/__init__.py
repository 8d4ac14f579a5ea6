"""Train, compile and talk to classifiers that learn on a microcontroller."""

__version__ = "0.2.0"
"""Of the package and of the firmware: `har emit` writes it into har_model.h."""
