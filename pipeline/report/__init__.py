"""What reports share: tables, plots, pages, pictures."""
