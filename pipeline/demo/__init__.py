"""The whole path in one run, measured: data, training, bundle, firmware, board, learning."""
