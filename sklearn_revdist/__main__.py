"""`python -m sklearn_revdist` is the command `revdist`."""

from ._cli import main

main(prog_name="revdist")
