"""Generators of conducting that are no diffusion models."""
