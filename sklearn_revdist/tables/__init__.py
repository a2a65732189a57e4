"""Embeddings in files: Parquet, HDF5 and NumPy, a batch of rows at a time."""
