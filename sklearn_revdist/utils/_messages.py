"""Quote the errors of other libraries on one line."""

_LONGEST = 200  # it may contain text of a file


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if there is none.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    line : str
        Without a full stop at its end, and cut off if it is very long.
    """
    line = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
