"""Readers of other people's data sets, each in the form in which it is published."""

from __future__ import annotations

from pipeline.data.importers import (
    dsads,
    hapt_original,
    motionsense,
    own_csv,
    pamap2,
    ucihar,
    wisdm,
)
from pipeline.data.importers.tree import Given, Importer, Reading, Tree, open_tree

IMPORTERS: dict[str, Importer] = {
    module.IMPORTER.name: module.IMPORTER
    for module in (ucihar, hapt_original, pamap2, motionsense, wisdm, dsads, own_csv)
}

__all__ = ["IMPORTERS", "Given", "Importer", "Reading", "Tree", "open_tree"]
