"""Pre-trained language models, adapters, and decoding under a grammar."""
