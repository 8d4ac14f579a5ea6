"""What `har doctor` looks at: this machine, the model, the board on its port, and its sensor."""
