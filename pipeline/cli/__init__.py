"""The command `har`: one module per verb group; parse, call, print."""
