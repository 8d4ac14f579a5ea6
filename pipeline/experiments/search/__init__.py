"""Search over the shapes of the network, under a board's limits, on validation subjects."""
