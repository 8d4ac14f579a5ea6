"""Experiments, each with its own report. They share jobs and networks, not each other."""
