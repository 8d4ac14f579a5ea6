"""The exception tree: each leaf is one exit code of the command line.

``HarError`` messages are one line for the user: what is wrong, where, and what to do.

- ``CheckFailed`` (exit code 1): a check failed (does not fit, does not agree).
- ``InputError`` (exit code 2): bad usage or bad input.
- ``ExternalError`` (exit code 3): something outside failed (device gone, disk full, no network).
"""


class HarError(Exception):
    """Base of every error that a user may see as one clear line."""

    exit_code = 2


class CheckFailed(HarError):
    """A check ran and failed."""

    exit_code = 1


class InputError(HarError):
    """Bad usage, or input that cannot be taken."""

    exit_code = 2


class ExternalError(HarError):
    """Something outside failed: device, disk, network, missing tool."""

    exit_code = 3
