"""Ridge probes on every prefix of an embedding, and the folds that choose among them."""
