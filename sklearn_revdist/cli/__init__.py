"""The command line `revdist`, one module per command."""
