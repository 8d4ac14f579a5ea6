"""`har transfer`: what pretraining is worth on another data set."""
