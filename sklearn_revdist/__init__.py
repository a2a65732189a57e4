"""Reverse Distillation: nested embeddings from a chain of protein language models."""

__version__ = "0.1.0.dev0"
