"""Simple answers that every table shows beside a model's."""
