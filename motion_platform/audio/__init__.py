"""Recordings: reading them, and the front ends that encoders listen to."""
