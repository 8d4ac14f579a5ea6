"""Base, quantized and pruned variants of a network, side by side: made, run, counted."""
