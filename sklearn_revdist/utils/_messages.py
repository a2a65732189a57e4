"""What another library's error says, on the one line that ours have."""

_LONGEST = 200  # text of a file may be part of it


def first_line(error: BaseException) -> str:
    """The first line of an error's words, or its type where it has none.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    line : str
        Without a full stop at its end; what is very long is cut off.
    """
    line = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
