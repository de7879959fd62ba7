"""The command line: it parses, calls the pipelines, and prints."""
