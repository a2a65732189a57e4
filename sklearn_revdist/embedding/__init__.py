"""From sequences to the wide matrix: checkpoints, the ESM-2 forward pass, and the store."""
