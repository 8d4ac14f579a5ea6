"""The messages between host and board, and the frames that carry them (docs/PROTOCOL.md)."""
