"""The map has each value in the cell of its position and residue, and no text is cut off."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import SubstitutionMapDisplay, single_substitutions

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("_close_figures")

PER_BAND, HEIGHT = 60, 23  # positions side by side, and rows from one band to the next


def protein(rng, n):
    return "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), n))


def dots(display):
    """Columns and rows of the points that mark the wild type."""
    return [(int(line.get_xdata()[0]), int(line.get_ydata()[0])) for line in display.ax_.lines]


def positions(display):
    """Positions that are written, with their columns and bands."""
    texts = ((t.get_text(), *t.get_position()) for t in display.ax_.texts)
    return {int(text): (int(x), round((y + 0.8) / HEIGHT)) for text, x, y in texts}


@pytest.mark.parametrize(("n", "first"), [(5, 1), (60, 1), (61, 24), (130, 105)])
def test_values_and_dots_are_at_their_positions_and_residues(rng, n, first):
    wild_type = protein(rng, n)
    mutants = rng.permutation(single_substitutions(wild_type, first_position=first))[: 15 * n]
    values = rng.normal(size=len(mutants))
    display = SubstitutionMapDisplay.from_predictions(mutants, values)
    image = display.image_.get_array()
    image = np.where(np.ma.getmaskarray(image), np.nan, np.ma.getdata(image))
    residues = display.values.columns.tolist()
    assert sorted(residues) == sorted("ACDEFGHIKLMNPQRSTVWY")
    for mutant, value in zip(mutants, values, strict=True):
        old, position, new = mutant[0], int(mutant[1:-1]), mutant[-1]
        assert display.values.loc[position, new] == value
        band, column = divmod(position - display.values.index[0], PER_BAND)
        assert image[band * HEIGHT + residues.index(new), column] == value
        assert (column, band * HEIGHT + residues.index(old)) in dots(display)
    assert np.isfinite(image).sum() == len(mutants)
    assert len(dots(display)) == len({mutant[:-1] for mutant in mutants})
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    n_bands = -(-n // PER_BAND)
    assert labels == residues * n_bands
    rows = [band * HEIGHT + i for band in range(n_bands) for i in range(20)]
    assert display.ax_.get_yticks().tolist() == rows


def test_positions_are_written_where_they_are():
    wild_type = "MKTAYIAKQR" * 13
    mutants = single_substitutions(wild_type, first_position=109)
    written = positions(SubstitutionMapDisplay.from_predictions(mutants, range(len(mutants))))
    expected = {109: (0, 0), **{p: (p - 109, 0) for p in range(120, 169, 10)}}
    expected |= {169: (0, 1), **{p: (p - 169, 1) for p in range(180, 229, 10)}}
    assert written == expected | {229: (0, 2)}  # 110, 170 and 230 would lie upon these


def test_the_scale_is_symmetric_around_the_wild_type():
    mutants = ["M1A", "M1G", "K2A"]
    for values, wild_type_value, limits in (
        ([1.0, -2.0, 0.5], 0, (-2, 2)),
        ([1.0, 1.5, np.nan], 1.25, (1, 1.5)),
        ([3, 3, 3], 3.0, (2, 4)),
        ([np.nan] * 3, 0, (-1, 1)),
    ):
        display = SubstitutionMapDisplay.from_predictions(
            mutants, values, wild_type_value=wild_type_value, label="activity"
        )
        assert display.image_.get_clim() == pytest.approx(limits)
        assert display.colorbar_.ax.get_ylabel() == "activity"
    low, middle, high = display.image_.cmap([0.1, 0.5, 0.9])[:, [0, 2]]  # red and blue
    assert low[0] > low[1]
    assert high[0] < high[1]
    assert middle[0] == pytest.approx(middle[1], abs=0.02)


@pytest.mark.parametrize(("n", "first"), [(1, 1), (14, 1), (72, 1), (62, 1009), (200, 997)])
def test_no_text_is_cut_off_or_lies_upon_another(rng, n, first):
    mutants = single_substitutions(protein(rng, n), first_position=first)
    display = SubstitutionMapDisplay.from_predictions(
        mutants, rng.normal(size=len(mutants)), label="predicted activity of the variant"
    )
    figure = display.figure_
    figure.canvas.draw()
    low, high = display.colorbar_.ax.get_ylim()
    ticks = display.colorbar_.ax.yaxis.get_major_ticks()
    shown = [tick.label2 for tick in ticks if low <= tick.get_loc() <= high]
    ax, bar = display.ax_, display.colorbar_.ax
    texts = [*ax.texts, *ax.get_yticklabels(), *shown]
    texts += [ax.xaxis.label, ax.yaxis.label, bar.yaxis.label]
    assert min(text.get_fontsize() for text in texts) >= 8
    boxes = np.array([text.get_window_extent().extents for text in texts])
    assert (boxes[:, :2] >= figure.bbox.extents[:2]).all()
    assert (boxes[:, 2:] <= figure.bbox.extents[2:]).all()
    starts, ends = boxes[:, np.newaxis, :2], boxes[np.newaxis, :, 2:]
    overlap = (starts < ends).all(axis=-1) & (starts < ends).all(axis=-1).T
    np.testing.assert_array_equal(overlap, np.eye(len(texts), dtype=bool))


def test_others_than_single_substitutions_are_left_out():
    mutants = ["p.Met1Ala", "M1A:K2R", "WT", "K2*", "K2X", "M1=", "T3S", "T3S"]
    display = SubstitutionMapDisplay.from_predictions(mutants, [*range(1, 8), 10])
    assert display.values.index.tolist() == [1, 2, 3]
    assert display.values.loc[1, "A"] == 1
    assert display.values.loc[1, "M"] == 6
    assert display.values.loc[3, "S"] == 8.5  # measured twice
    assert display.values.notna().sum().sum() == 3
    assert display.wild_type == ["M", "", "T"]  # of no letter at the second nothing is known


def test_it_is_drawn_on_given_axes(rng):
    figure, (left, right) = plt.subplots(1, 2)
    mutants = pd.Series(["M1A", "K2R"], index=[7, 7])
    display = SubstitutionMapDisplay.from_predictions(mutants, pd.Series([1.0, 2.0]), ax=right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.images
    again = SubstitutionMapDisplay(display.values, display.wild_type).plot()
    assert again.ax_ is not right
    np.testing.assert_array_equal(again.image_.get_array(), display.image_.get_array())


@pytest.mark.parametrize(
    ("mutants", "values", "message"),
    [
        ([], [], r"^mutants has no single substitution, such as 'A24G'; give some\.$"),
        (["A1G:C2D", "WT"], [1, 2], r"^mutants has no single substitution"),
        (["A1G"], [1, 2], r"^There are 1 mutants, but values is of shape \(2,\)"),
        (["A1G"], [[1]], r"^There are 1 mutants, but values is of shape \(1, 1\)"),
        (["A1G"], ["x"], r"^There are 1 mutants, but values is of shape \(1,\) and type <U1; giv"),
        (["A1G"], [np.inf], r"^values has an infinite number; give NaN if it is unknown\.$"),
        (["A1G", "C1D"], [1, 2], r"^mutants has 'C1D', but another has A at position 1; give mut"),
    ],
)
def test_what_cannot_be_drawn_is_refused(mutants, values, message):
    with pytest.raises(ValueError, match=message):
        SubstitutionMapDisplay.from_predictions(mutants, values)
    assert plt.get_fignums() == []
