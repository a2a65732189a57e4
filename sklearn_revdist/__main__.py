"""`python -m sklearn_revdist` is the command `revdist`."""

from .cli._main import main

main(prog_name="revdist")
