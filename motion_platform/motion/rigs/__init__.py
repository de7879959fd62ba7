"""Onto somebody's own character: its skeleton (`rig.py`), the pose of a body as turns that any skeleton can take
(`pose.py`), feet that stay (`contacts.py`), and all of it together (`fit.py`)."""
