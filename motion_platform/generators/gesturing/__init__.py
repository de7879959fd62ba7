"""Gesture generation by rule, and the first of two stages of gesture generation by learning: when to gesture."""
