"""Search over the shapes of the network, under a board's limits, on validation people."""

from pipeline.search.cost import Cost, Limits, count_cost
from pipeline.search.material import Draw, Material, gather
from pipeline.search.result import search_report
from pipeline.search.run import SearchJob, search, trained
from pipeline.search.space import WINDOWS, Candidate, Space

__all__ = [
    "WINDOWS",
    "Candidate",
    "Cost",
    "Draw",
    "Limits",
    "Material",
    "SearchJob",
    "Space",
    "count_cost",
    "gather",
    "search",
    "search_report",
    "trained",
]
