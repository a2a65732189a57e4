"""Messages: errors of other libraries on one line, warnings that are about the user's code."""

import sys
import warnings
from collections.abc import Mapping

_LONGEST = 200  # it may contain text of a file
_MOST_NAMED = 10
# Packages between a warning and the code that it is about.
_BETWEEN = {"sklearn_revdist", "sklearn", "joblib", "contextlib"}


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


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of something in the user's code that called the package, maybe through scikit-learn."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_of_skipped(skipped: Mapping[str, str]) -> None:
    """Warn of each of ten things that are skipped, and then of how many more there are.

    Parameters
    ----------
    skipped : mapping of str to str
        Names, and for each the reason.
    """
    names = list(skipped)
    for name in names[:_MOST_NAMED]:
        warn_user(f"{name!r} is skipped: {skipped[name]}.")
    if more := len(names[_MOST_NAMED:]):
        warn_user(f"{more} more are skipped.")
