"""SubstitutionMapDisplay: a value of every single substitution, position by position."""

from numbers import Real
from typing import Any, Self

import numpy as np
import pandas as pd

from ..sequences._mutants import parse_mutant
from ..utils._compat import Interval, validate_params
from ._axes import Display, check_axes, pyplot

# by size, charge and polarity, so that like residues are neighbours
_RESIDUES = "GAVLIMCFYWHKRDEQNSTP"
_PER_BAND = 60  # positions side by side
_GAP = 3  # rows between bands
_POINTS = 8  # size of letters and positions


class SubstitutionMapDisplay(Display):
    """Map of a value of every single substitution: residues against positions.

    Make it with :meth:`from_predictions`. Values above that of the wild type are blue, those below
    are red, on a scale that is symmetric; a dot marks the residue of the wild type, and white is
    unknown. Long proteins are drawn in bands. Drawing needs matplotlib (extra `plot`).

    Parameters
    ----------
    values : DataFrame
        One row per position and one column per residue; NaN is unknown.
    wild_type : list of str
        Residue of the wild type at each position.
    wild_type_value : float, default=0.0
        Value of the wild type, in the middle of the scale.
    label : str, default="prediction"
        What the values are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the plot was drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    image_ : matplotlib AxesImage
        The map.
    colorbar_ : matplotlib Colorbar
        Its scale.

    Examples
    --------
    >>> from sklearn_revdist import SubstitutionMapDisplay
    >>> mutants = ["M1A", "M1G", "K2A", "K2R"]
    >>> display = SubstitutionMapDisplay.from_predictions(mutants, [-1.0, -2.0, 0.5, 1.0])
    >>> display.values.loc[2, "R"]
    np.float64(1.0)
    """

    def __init__(
        self,
        values: pd.DataFrame,
        wild_type: list[str],
        wild_type_value: float = 0.0,
        label: str = "prediction",
    ):
        self.values = values
        self.wild_type = wild_type
        self.wild_type_value = wild_type_value
        self.label = label

    @classmethod
    @validate_params(
        {
            "mutants": ["array-like"],
            "values": ["array-like"],
            "wild_type_value": [Interval(Real, None, None, closed="neither")],
            "label": [str],
        },
        prefer_skip_nested_validation=True,
    )
    def from_predictions(
        cls,
        mutants: Any,
        values: Any,
        *,
        wild_type_value: float = 0.0,
        label: str = "prediction",
        ax: Any = None,
    ) -> Self:
        """Draw the values of single substitutions.

        Parameters
        ----------
        mutants : array-like of str, of shape (n_mutants,)
            Single substitutions by amino acids, such as ``A24G``; others are left out.
        values : array-like of shape (n_mutants,)
            Their values, NaN if unknown; of a mutant that occurs several times, their mean.
        wild_type_value : float, default=0.0
            Value of the wild type.
        label : str, default="prediction"
            What the values are.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : SubstitutionMapDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` is not matplotlib Axes, or a mutant is not a string.
        ValueError
            If there is no single substitution, mutants are of different wild types, or there is
            not one number for each.
        """
        check_axes(ax)
        mutants, numbers = list(mutants), np.asarray(values)
        if numbers.shape != (len(mutants),) or numbers.dtype.kind not in "fiub":
            raise ValueError(
                f"There are {len(mutants)} mutants, but values is of shape {numbers.shape} and "
                f"type {numbers.dtype}; give one number for each."
            )
        if np.isinf(numbers).any():
            raise ValueError("values has an infinite number; give NaN if it is unknown.")
        found = []
        wild_type: dict[int, str] = {}
        for i, (mutant, value) in enumerate(zip(mutants, numbers.tolist(), strict=True)):
            if not isinstance(mutant, str):
                raise TypeError(f"mutants[{i}]={mutant!r} is not a string; change its type.")
            parsed = parse_mutant(mutant)
            if isinstance(parsed, str) or len(parsed) != 1 or parsed[0].new not in _RESIDUES:
                continue
            ((old, position, new),) = parsed
            if wild_type.setdefault(position, old) != old:
                raise ValueError(
                    f"mutants has {mutant!r}, but another has {wild_type[position]} at position "
                    f"{position}; give mutants of one wild type."
                )
            found.append((position, new, value))
        if not found:
            raise ValueError("mutants has no single substitution, such as 'A24G'; give some.")
        positions = range(min(wild_type), max(wild_type) + 1)
        frame = pd.DataFrame(found, columns=["position", "residue", "value"])
        means = frame.groupby(["position", "residue"])["value"].mean().unstack()
        table = means.reindex(index=positions, columns=list(_RESIDUES)).astype(np.float64)
        letters = [wild_type.get(position, "") for position in positions]
        return cls(table, letters, wild_type_value, label).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure, as large as the protein needs.

        Returns
        -------
        self : SubstitutionMapDisplay
            The display, with its attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` is not matplotlib Axes.
        """
        check_axes(ax)
        if ax is None:
            _, ax = pyplot().subplots(figsize=figure_size(len(self.values)), layout="constrained")
        self._draw(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(self, ax):
        n_bands = -(-len(self.values) // _PER_BAND)
        across, height = min(len(self.values), _PER_BAND), len(_RESIDUES) + _GAP
        image = np.full((height * n_bands - _GAP, across), np.nan)
        labels = []
        for band in range(n_bands):
            part = slice(band * _PER_BAND, (band + 1) * _PER_BAND)
            values, top = self.values.iloc[part], band * height
            image[top : top + len(_RESIDUES), : len(values)] = values.to_numpy().T
            labels += [(top + i, letter) for i, letter in enumerate(_RESIDUES)]
            for column, (position, letter) in enumerate(
                zip(values.index, self.wild_type[part], strict=True)
            ):
                if letter in _RESIDUES and letter:
                    ax.plot(column, top + _RESIDUES.index(letter), ".", color="black", ms=3)
                if column == 0 or (position % 10 == 0 and column > 2):  # not one upon the other
                    ax.text(column, top - 0.8, position, ha="center", va="bottom", fontsize=_POINTS)
        largest = np.max(np.abs(image - self.wild_type_value), where=~np.isnan(image), initial=0)
        largest = largest or 1.0
        low, high = self.wild_type_value - largest, self.wild_type_value + largest
        self.image_ = ax.imshow(image, cmap="RdBu", vmin=low, vmax=high, aspect="auto")
        ax.set_yticks(*zip(*labels, strict=True), fontsize=_POINTS, family="monospace")
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_ylim(len(image) - 0.5, -2.5)
        ax.set_xlabel("position")
        ax.set_ylabel("residue")
        self.colorbar_ = ax.figure.colorbar(self.image_, ax=ax, label=self.label, pad=0.01)


def figure_size(n_positions: int) -> tuple[float, float]:
    """Width and height in inches at which all letters can be read.

    Parameters
    ----------
    n_positions : int
    """
    across, n_bands = min(n_positions, _PER_BAND), -(-n_positions // _PER_BAND)
    return 2 + 0.15 * across, 1 + 0.155 * (len(_RESIDUES) + _GAP) * n_bands
