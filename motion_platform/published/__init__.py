"""Weights that others published, read into our classes."""
