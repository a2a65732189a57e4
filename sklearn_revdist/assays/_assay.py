"""Assays: measured variants of a spreadsheet, checked row by row, with all of its columns."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..sequences._mutants import parse_mutant
from ..sequences._packed import Unreadable
from ..sequences._tokens import RESIDUES, drop_stop, wrong_letter
from ..sequences._variants import mutated_sequence
from ..tasks._targets import MISSING, as_numbers
from ..tasks._task import Task
from ..tasks._text_rows import read_text, task_name, without_stops
from ..utils._compat import Interval, StrOptions, validate_params

SEQUENCE = "sequence"  # column of the sequences in the table of an assay
_SEQUENCE_COLUMNS = ("sequence", "mutated_sequence")
_MUTANT_COLUMNS = ("mutant", "mutation", "mutations", "variant")
_USUAL_COLUMNS = (*_SEQUENCE_COLUMNS, *_MUTANT_COLUMNS)
_TARGET_COLUMN = "DMS_score"

_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
_LISTED = 12  # columns in a message


@dataclass(frozen=True, eq=False)
class Assay:
    """Measured variants, or proteins.

    Parameters
    ----------
    name : str
        Name of the file.
    table : DataFrame
        One row per measurement, with all columns of the file as strings, and last the column
        ``"sequence"`` if it has none. The index is the place of each row, file and line.
    sequences : list of str
        Sequence of each row, in upper case.
    target : ndarray of shape (n_rows,), float64
        Measurements.
    target_name : str
        Column of the measurements.
    wild_type : str or None
        Sequence that all variants have the length of; None if lengths differ.
    left_out : dict of str to int
        Number of rows that are left out, by reason.
    wild_type_target : float or None
        Mean measurement of the wild type itself; None if it was not measured.
    """

    name: str
    table: pd.DataFrame
    sequences: list[str]
    target: NDArray[np.float64]
    target_name: str
    wild_type: str | None
    left_out: dict[str, int]
    wild_type_target: float | None = None

    @property
    def mutated(self) -> NDArray[np.bool_] | None:
        """Whether each position differs from the wild type, of shape (n_rows, n_residues)."""
        return None if self.wild_type is None else differences(self.wild_type, self.sequences)

    def task(self) -> Task:
        """Return the assay as a task, which can be split and scored.

        Returns
        -------
        task : Task
        """
        distinct, protein = np.unique(np.array(self.sequences, dtype=object), return_inverse=True)
        n_mutations = position = None
        if (mutated := self.mutated) is not None:
            n_mutations = mutated.sum(axis=1)
            if (n_mutations == 1).all():
                position = mutated.argmax(axis=1) + 1
        return Task(
            self.name,
            distinct.tolist(),
            self.target,
            protein,
            position=position,
            n_mutations=n_mutations,
            excluded=self.left_out,
            wild_type=self.wild_type,
        )


def differences(reference: str, sequences: Sequence[str]) -> NDArray[np.bool_]:
    """Where sequences of one length differ from a reference.

    Parameters
    ----------
    reference : str
    sequences : sequence of str

    Returns
    -------
    differ : ndarray of shape (n_sequences, n_residues), bool
    """
    letters = np.array([*sequences, reference]).view("U1").reshape(len(sequences) + 1, -1)
    return letters[:-1] != letters[-1]


@validate_params(
    {
        "path": [str, os.PathLike],
        "target": [str, None],
        "sequence_column": [str, None],
        "mutant_column": [str, None],
        "reference": [str, None],
        "first_position": [Interval(Integral, None, None, closed="neither")],
        "unknown": [StrOptions(set(RESIDUES))],
    },
)
def read_assay(
    path: str | os.PathLike,
    target: str | None = None,
    *,
    sequence_column: str | None = None,
    mutant_column: str | None = None,
    reference: str | None = None,
    first_position: int = 1,
    unknown: str = "error",
) -> Assay:
    r"""Read measured variants from a spreadsheet.

    Rows without a measurement (empty, NA, n.d. and the like) are left out and counted, and so are
    those of the wild type itself, of which no position tells anything. Several measurements of one
    variant stay.

    Parameters
    ----------
    path : str or path-like
        CSV with commas, semicolons or tabs, in any encoding with a byte order mark or UTF-8, plain
        or compressed; an Excel workbook (.xlsx); or Parquet.
    target : str, default=None
        Column of the measurements; None is "DMS_score". Numbers may have decimal commas if all of
        the column do.
    sequence_column : str, default=None
        Column of the sequences; None is "sequence" or "mutated_sequence", if there is one. A stop
        codon at the end is dropped, with a warning.
    mutant_column : str, default=None
        Column of mutants, as :func:`mutate` takes them, for tables without sequences; None is
        "mutant", "mutation", "mutations" or "variant". Empty is the wild type.
    reference : str, default=None
        The wild type, which mutants need. Without it, the wild type of sequences of one length
        is the most frequent residue at each position.
    first_position : int, default=1
        Number of the first residue of `reference` in mutants.
    unknown : {"error", "mask", "X", "keep"}, default="error"
        Policy on ambiguous residues, as for :class:`ESMEmbedder`.

    Returns
    -------
    assay : Assay

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a column is missing, a measurement is not a number, a sequence has a letter that is not
        a residue, a mutant does not fit `reference`, or nothing is left; the message names file
        and line.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_revdist import read_assay
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "assay.csv")
    ...     _ = path.write_text("mutant;activity;plate\nK2R;1,5;A\nT3S;;A\nA4G;0,5;B\n")
    ...     assay = read_assay(path, "activity", reference="MKTAY")
    >>> assay.sequences, assay.target.tolist(), assay.left_out
    (['MRTAY', 'MKTGY'], [1.5, 0.5], {'no measurement': 1})
    """
    target = target or _TARGET_COLUMN
    needed = [target, *filter(None, [sequence_column, mutant_column])]
    remedy = "say which one it is (`target`, `sequence_column`, `mutant_column`)"
    table = read_text(path, needed, wanted=_USUAL_COLUMNS, remedy=remedy)
    numbers = _numbers(table[target])
    measured = ~table[target].str.strip().isin(MISSING).to_numpy()
    _check_numbers(table[target], measured & ~np.isfinite(numbers))
    left_out = Counter({"no measurement": int((~measured).sum())})
    table, numbers, of_wild_type = table[measured], numbers[measured], None
    if reference is not None:
        reference = drop_stop(reference.strip().upper())
        if wrong := wrong_letter(reference, unknown):
            raise ValueError(f"In the wild type {wrong}; correct it (`reference`).")
    sequences = sequences_of_table(
        table, path, sequence_column, mutant_column, reference, first_position, unknown
    )
    if reference is None and len(set(map(len, sequences))) == 1:
        reference = consensus(sequences)
    if reference is not None:
        kept = np.array([sequence != reference for sequence in sequences], dtype=bool)
        left_out["the wild type itself"] += int((~kept).sum())
        of_wild_type = None if kept.all() else float(numbers[~kept].mean())
        table, numbers = table[kept], numbers[kept]
        sequences = [sequence for sequence in sequences if sequence != reference]
        lengths = set(map(len, sequences))
        if len(lengths) == 1 and len(reference) not in lengths:
            raise ValueError(
                f"{str(path)!r} has sequences of {lengths.pop()} residues, but the wild type "
                f"has {len(reference)}; give the wild type of these, or leave it out."
            )
        if lengths != {len(reference)}:
            reference = None
    if len(set(sequences)) < 2:
        raise ValueError(
            f"{str(path)!r} has {len(set(sequences))} measured variants, of which nothing can be "
            "learnt; check the columns."
        )
    return Assay(
        task_name(path),
        table if SEQUENCE in table else table.assign(**{SEQUENCE: sequences}),
        sequences,
        numbers,
        target,
        reference,
        {reason: n for reason, n in left_out.items() if n},
        of_wild_type,
    )


def read_variants(
    path: str | os.PathLike, sequence_column: str | None, mutant_column: str | None
) -> pd.DataFrame:
    """Read a table of variants, of whose columns one is known.

    Parameters
    ----------
    path : str or path-like
    sequence_column, mutant_column : str or None
        Column of sequences or of mutants; None is one of the usual names.

    Returns
    -------
    table : DataFrame
        As :func:`read_text` returns it.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_text` does.
    """
    if given := [column for column in (sequence_column, mutant_column) if column]:
        remedy = "say which one it is (`sequence_column`, `mutant_column`)"
        return read_text(path, given, remedy=remedy)
    for column in _USUAL_COLUMNS:
        with suppress(Unreadable):  # by the column, the delimiter is known as well
            return read_text(path, [column])
    return read_text(path, [])


def sequences_of_table(
    table: pd.DataFrame,
    path: str | os.PathLike,
    sequence_column: str | None,
    mutant_column: str | None,
    reference: str | None,
    first_position: int,
    unknown: str,
) -> list[str]:
    """Sequences of a table, of their column or of mutants; in upper case, without stop codons.

    Parameters
    ----------
    table : DataFrame
        As :func:`read_text` returns it.
    path, sequence_column, mutant_column, reference, first_position, unknown
        As for :func:`read_assay`.

    Returns
    -------
    sequences : list of str

    Raises
    ------
    ValueError
        As :func:`read_assay` does.
    """
    has_sequences = any(name in table.columns for name in _SEQUENCE_COLUMNS)
    if not sequence_column and (mutant_column or not has_sequences):
        names = [mutant_column] if mutant_column else _MUTANT_COLUMNS
        kind = "sequences (sequence_column) or of mutants"
        mutants = _column(table, path, names, kind, "mutant_column")
        if reference is None:
            raise ValueError(
                f"{str(path)!r} has mutants, which need the wild type; give its sequence "
                "(`reference`)."
            )
        return _each(table, mutants, lambda text: _mutant(text, reference, first_position, unknown))
    names = [sequence_column] if sequence_column else _SEQUENCE_COLUMNS
    column = _column(table, path, names, "sequences", "sequence_column")
    texts = without_stops([text.strip().upper() for text in column], path)

    def checked(sequence):
        if not sequence:
            raise ValueError(
                f"the column {column.name!r} has no sequence; fill it in, or drop the row."
            )
        if wrong := wrong_letter(sequence, unknown):
            raise ValueError(f"{wrong}; correct it.")
        return sequence

    return _each(table, texts, checked)


def consensus(sequences: Sequence[str]) -> str:
    """Return the most frequent residue at each position of sequences of one length.

    Of equally frequent ones it is the first by letter, whatever the order of the sequences.
    """
    counts = (Counter(sorted(residues)) for residues in zip(*sequences, strict=True))
    return "".join(of_position.most_common(1)[0][0] for of_position in counts)


def _column(table, path, names, what, parameter):
    """Cells of the first of these columns that is there."""
    found = next((name for name in names if name in table.columns), None)
    if found is None:
        listed = ", ".join(map(repr, table.columns[:_LISTED]))
        missing = " or ".join(map(repr, names))
        raise ValueError(
            f"{str(path)!r} has no column {missing} of {what}, but {listed}; name one of these "
            f"({parameter})."
        )
    return table[found]


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    """Convert cells to numbers, with decimal commas if all cells that are not whole have them."""
    texts = column.str.strip().tolist()
    given = [text for text in texts if text not in MISSING]
    with_commas = [text for text in given if "," in text]
    if (
        with_commas
        and all(map(_DECIMAL_COMMA.fullmatch, given))
        and not all(map(_THOUSANDS.fullmatch, with_commas))
    ):
        texts = [text.replace(",", ".") for text in texts]
    return as_numbers(texts)


def _check_numbers(column: pd.Series, wrong: NDArray[np.bool_]) -> None:
    """Refuse wrong cells, by the first that is not a number in any notation."""
    if not wrong.any():
        return
    what = (
        "has a comma, which may be that of decimals or of thousands; write all numbers with points"
    )
    texts = column.str.strip()
    like_number = texts.str.fullmatch(_DECIMAL_COMMA) | texts.str.fullmatch(_THOUSANDS)
    no_number = wrong & ~(like_number & texts.str.contains(",")).to_numpy(dtype=bool)
    if no_number.any():
        wrong, what = no_number, "is not a number; correct it, or leave it empty"
    row, name = int(wrong.argmax()), column.name
    raise ValueError(
        f"{column.index[row]}: the measurement {column.iloc[row]!r} in column {name!r} {what}."
    )


def _mutant(text: str, reference: str, first_position: int, unknown: str) -> str:
    if not text.strip() or parse_mutant(text) == ():
        return reference
    sequence = mutated_sequence(reference, text, f"the mutant {text!r}", first_position)
    if wrong := wrong_letter(sequence, unknown):
        raise ValueError(f"in the mutant {text!r} {wrong}; correct it.")
    return sequence


def _each(table: pd.DataFrame, cells: Iterable[str], convert: Callable[[str], str]) -> list[str]:
    """Convert cells; an error names the row."""
    converted = []
    for place, cell in zip(table.index, cells, strict=True):
        try:
            converted.append(convert(cell))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    return converted
