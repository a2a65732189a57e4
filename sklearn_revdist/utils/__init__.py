"""Utilities that know nothing of proteins: files, tables, names of models, fingerprints."""
