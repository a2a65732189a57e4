"""The wide matrix [H1 | H2 | ...]: its rows, the layout of its columns, and its moments."""
