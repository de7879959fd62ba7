"""A score into a performance that is heard and conducted: what the data set ``conductor_scores`` is made of."""
