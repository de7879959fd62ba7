"""Captions, sides, inflection."""
