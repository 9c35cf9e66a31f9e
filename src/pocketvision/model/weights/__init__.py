"""Trained weights: found by name or file, checked, and read into a graph's own names. Nothing is ever unpickled."""
