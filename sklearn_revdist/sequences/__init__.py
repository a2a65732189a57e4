"""Protein sequences: reading them from files, and turning them into tokens."""
