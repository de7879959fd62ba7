"""Generators that write the codes of a motion tokenizer by masked modelling."""
