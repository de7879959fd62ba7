"""Talking with the hands by rule: a library of gestures with their phases, a plan, and the body that carries it out."""
