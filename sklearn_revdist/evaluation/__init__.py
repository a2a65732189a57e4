"""Scores of embeddings of every size on many tasks, beside the baselines."""
