"""Diffusion models: what they do alike, and one file a network."""
