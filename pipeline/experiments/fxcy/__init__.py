"""How many of a pretrained network's last layers to train on the target: FxCy, every case with its
accuracy, energy and speed of convergence (Fragkou, Katsaros 2023; Lygnos 2022)."""
