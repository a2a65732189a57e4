"""Utilities: files, names of models, fingerprints, settings of torch, parts of scikit-learn."""
