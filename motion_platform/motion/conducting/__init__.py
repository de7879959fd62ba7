"""Conducting figures, key points and their lift into three dimensions."""
