"""Motion tokenizers: what writes motion as discrete tokens and reads it back."""
