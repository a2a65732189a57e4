"""Read targets: find out whether a column means numbers or classes, and which."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ._classes import class_name
from ._task import RETRIEVAL_METRICS

KINDS = ("regression", "classification", "retrieval")

# Whole numbers with at most this many distinct values are names of classes.
_MOST_NUMBERED_CLASSES = 20

# Not "Na", which is sodium.
MISSING = {
    *("", "nan", "NaN", "NAN", "NA", "na", "N/A", "n/a", "#N/A", "<NA>", "n.a.", "N.A.", "n.d."),
    *("N.D.", "None", "none", "NONE", "null", "NULL", "Null", "?"),
}
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _like_a_number():
    """Make a pattern for numbers that are not written plainly."""
    sign = "[-+\u2212\u2013]?"  # also the signs that word processors put for a minus
    thousands = r"\d{1,3}(?:[,.'\u2019_ ]\d{3})+(?:[.,]\d+)?"
    number = rf"{sign}(?:{thousands}|\d+(?:[.,]\d*)?|[.,]\d+|(?i:inf(?:inity)?))(?:[eE]{sign}\d+)?"
    bound = r"(?:[<>=~\u2264\u2265\u2248]{1,2}\s*)?"
    error = rf"(?:\s*(?:\u00b1|\+/-|\+-)\s*{number})?"
    glued = (
        r"%|\u00b0[CFK]?|[fpnu\u00b5\u03bcm]?M|[kM]?Da|kcal/mol|kJ/mol|[nu\u00b5\u03bcm]?s|min|h|nm"
        "|\u00c5"
    )
    apart = r"[^\W\d_][^\s\d]{0,9}(?:-?\d)?"
    return re.compile(rf"{bound}{number}{error}(?:\s?(?:{glued})|\s+{apart})?")


_LIKE = _like_a_number()


def as_numbers(cells: Sequence[str]) -> NDArray[np.float64]:
    """Convert cells to numbers; NaN or infinite if a cell is not a plain decimal number.

    Parameters
    ----------
    cells : sequence of str
        Numbers have ASCII digits, a point and an exponent, as in -1.5e-3; blanks around them are
        ignored.
    """
    texts = [cell.strip() for cell in cells]
    return np.array([float(text) if _PLAIN.fullmatch(text) else np.nan for text in texts])


def as_targets(
    cells: Sequence[str], kind: str | None, places: Sequence[str]
) -> tuple[NDArray, list[tuple[str, str] | None]]:
    """Convert cells to numbers or classes.

    Parameters
    ----------
    cells : sequence of str
        As in the file; empty if missing.
    kind : {"regression", "classification", "retrieval"} or None
        With "regression" every cell is meant as a number, and with the others every cell that is
        not empty is a class. With None, cells are meant as numbers if at least half of
        those that are not missing are numbers. These are a regression unless they are at most 20
        distinct whole numbers; everything else is a classification.
    places : sequence of str
        Where each row is.

    Returns
    -------
    targets : ndarray of float64, or of str as objects
        Numbers, or names of classes.
    wrong : list of (str, str) or None
        What is wrong with each cell, and the reason to count its row by; None if nothing is.

    Raises
    ------
    ValueError
        If `kind` is None and at least half of the cells look like numbers but have decimal commas
        or units, for example.
    """
    texts = [cell.strip() for cell in cells]
    numbers = as_numbers(texts)
    if kind in ("classification", "retrieval"):
        return _names(texts), [None if text else _wrong(text) for text in texts]
    finite = np.isfinite(numbers)
    if kind is None and not _meant_as_numbers(texts, finite, places):
        wrong = [_wrong(text) if text in MISSING else None for text in texts]
        return _names(texts), wrong
    hint = "" if kind else ', as at least half are (classes need kind="classification")'
    wrong = [
        None if good else _wrong(text, hint)
        for text, good in zip(texts, finite.tolist(), strict=True)
    ]
    given = numbers[finite]
    few = len(set(given.tolist())) <= _MOST_NUMBERED_CLASSES
    if kind is None and few and (given == np.rint(given)).all():
        return _names(texts), wrong
    return numbers, wrong


def retrieval_of(kind: str | None, metric: str | None, path: object) -> str | None:
    """Return the metric of a retrieval, None for other kinds of tasks, or refuse it.

    Parameters
    ----------
    kind : {"regression", "classification", "retrieval"} or None
    metric : str or None
        None is "recall@1" for a retrieval.
    path : path-like, or dict of path-like
        File or files, for errors.
    """
    if kind == "retrieval" and (metric is None or RETRIEVAL_METRICS.fullmatch(metric)):
        return metric or "recall@1"
    if metric is None:
        return None
    files = path.values() if isinstance(path, dict) else [path]
    where = ", ".join(repr(str(file)) for file in files)
    if kind == "retrieval":
        raise ValueError(
            f"{where}: metric={metric!r} is not known; give 'recall@1' or another number, or 'map'."
        )
    raise ValueError(
        f"{where}: metric={metric!r} is for retrievals, and the metric of other tasks follows from "
        "their targets; set kind='retrieval', or leave it out."
    )


def _names(texts):
    return np.array([class_name(text) for text in texts], dtype=object)


def _wrong(text, of_numbers=None):
    """Say what is wrong with a cell; `of_numbers` is a hint for a column of numbers."""
    if not text:
        return "no target", "no score"
    if of_numbers is not None:
        reason = "no score" if text in MISSING else "a target that is not a number"
        return f"the target {text!r} is not a number{of_numbers}", reason
    return (
        f'the target {text!r} is taken for a missing one (kind="classification" keeps it)',
        'no target, or one such as NA that kind="classification" keeps',
    )


def _meant_as_numbers(texts, is_number, places):
    """Check whether at least half of what is not missing are numbers, or look like them."""
    given = [text not in MISSING and bool(re.search(r"\w", text)) for text in texts]
    like = [
        row
        for row, text in enumerate(texts)
        if given[row] and not is_number[row] and _LIKE.fullmatch(text)
    ]
    n_given = sum(given)
    if like and 2 * len(like) >= n_given:
        raise ValueError(
            f"{places[like[0]]}: the target {texts[like[0]]!r} looks like a number but is not a "
            f"plain one, like {len(like)} of {n_given}; write them as 1234.5 or 1.5e-3, without "
            'decimal commas, separators, bounds and units, or set kind="classification".'
        )
    n_numbers = int(is_number.sum())
    return n_numbers > 0 and 2 * (n_numbers + len(like)) >= n_given
