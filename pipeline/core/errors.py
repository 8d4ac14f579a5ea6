"""The exception tree: each leaf names what the command line answers with.

``HarError`` messages are one line for a person: what is wrong, where, and what to do.

- ``HonestNo`` (exit code 1): the answer is no (does not fit, does not agree).
- ``InputError`` (exit code 2): bad usage or bad input.
- ``WorldError`` (exit code 3): the world failed (device gone, disk full, no network).
"""


class HarError(Exception):
    """Base of every error that a user may see as one clear line."""

    exit_code = 2


class HonestNo(HarError):
    """The question was well put and the answer is no."""

    exit_code = 1


class InputError(HarError):
    """Bad usage, or input that cannot be taken."""

    exit_code = 2


class WorldError(HarError):
    """Something outside failed: device, disk, network, missing tool."""

    exit_code = 3
