"""Readers of other people's data sets, each in the form in which it is published, and of your own
recordings in the forms of the programs that write them."""

from __future__ import annotations

from pipeline.data.importers import (
    arduino,
    dsads,
    edge_impulse,
    hapt_original,
    motionsense,
    own_csv,
    pamap2,
    phyphox,
    sensiml,
    sensor_logger,
    ucihar,
    wisdm,
    wisdm2019,
)
from pipeline.data.importers.own import Form, read_own
from pipeline.data.importers.tree import Given, Importer, Reading, Tree, open_tree

# The first that recognises a file reads it; the project's own CSV is the last resort.
OWN_FORMS: tuple[Form, ...] = (
    sensiml.FORM,
    edge_impulse.FORM,
    arduino.FORM,
    sensor_logger.FORM,
    phyphox.FORM,
    own_csv.FORM,
)
IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        *(
            module.IMPORTER
            for module in (ucihar, hapt_original, pamap2, motionsense, wisdm, wisdm2019, dsads)
        ),
        *(form.importer() for form in OWN_FORMS),
    )
}

__all__ = [
    "IMPORTERS",
    "OWN_FORMS",
    "Form",
    "Given",
    "Importer",
    "Reading",
    "Tree",
    "open_tree",
    "read_own",
]
