"""From the wide matrix to nested embeddings: the chain of regressions and residual bases."""
