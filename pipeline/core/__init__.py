"""What every package may use: errors, files, formatting."""
