"""A language model over motion tokens and words."""
