"""Search over the shapes of the network, under a board's limits, on validation subjects."""

from pipeline.experiments.search.run import Found, SearchRequest, search, search_report
from pipeline.experiments.search.space import WINDOWS, Candidate, Cost, Limits, Space, count_cost
from pipeline.experiments.search.task import SearchTask, Setting, gather

__all__ = [
    "WINDOWS",
    "Candidate",
    "Cost",
    "Found",
    "Limits",
    "SearchRequest",
    "SearchTask",
    "Setting",
    "Space",
    "count_cost",
    "gather",
    "search",
    "search_report",
]
