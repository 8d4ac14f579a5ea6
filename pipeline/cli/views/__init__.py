"""Live views of a board in the terminal."""
