"""To read files of one form of one's own recordings, as an import of that form does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import InputError
from pipeline.data.importers import IMPORTERS, Given, Reading, open_tree


def read_form(name: str, path: Path, **given: Any) -> Reading:
    """``given`` are fields of Given."""
    importer = IMPORTERS[name]
    with open_tree(path, importer.anchor, importer.expects) as tree:
        return importer.read(tree, Given(**given))


def refusal(name: str, path: Path, **given: Any) -> str:
    """The one line of it, which must name the path."""
    with pytest.raises(InputError) as refused:
        read_form(name, path, **given)
    message = str(refused.value)
    assert path.name in message and "\n" not in message
    return message
