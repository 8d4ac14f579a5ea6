"""A session with a board: ports, client, recording, labels."""
