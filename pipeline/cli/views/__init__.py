"""What a person looks at while a board works."""
