"""Features without a language model, which embeddings have to beat."""
