"""Options in groups: declared together, and taken as one dict."""

from collections.abc import Callable, Sequence
from functools import wraps


def together(*options: Callable) -> Callable:
    """Combine options into one decorator, in the order in which the help shows them."""

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def gathered(**groups: Sequence[str]) -> Callable:
    """Make a decorator of commands that take groups of options, those that they have, as dicts."""

    def decorate(command):
        @wraps(command)
        def gathering(**given):
            dicts = {
                group: {name: given.pop(name) for name in names if name in given}
                for group, names in groups.items()
            }
            return command(**dicts, **given)

        return gathering

    return decorate
