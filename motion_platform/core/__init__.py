"""The words that everybody speaks: schema, contracts, errors, names, recipes, cards, files."""
