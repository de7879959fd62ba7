"""Data sets on somebody's disk, one file each."""
