"""Nearest neighbours in embeddings: exact, whatever is skipped on the way."""
