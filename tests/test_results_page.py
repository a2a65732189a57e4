"""The tables of the page of results that are made from its other tables."""

import re
import shutil
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"


@pytest.fixture
def examples(monkeypatch):
    """Scripts of the folder of examples can be imported."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(ROOT / "examples")


@pytest.mark.usefixtures("_close_figures")
def test_the_leading_table_and_the_figures_follow_from_the_others(examples, tmp_path):
    from results_figures import demo_chain, draw_figures
    from results_page import write

    for path in RESULTS.glob("*.csv"):
        shutil.copy(path, tmp_path)
    write(demo_chain(tmp_path), tmp_path / "demo_chain.csv")
    assert (tmp_path / "demo_chain.csv").read_bytes() == (RESULTS / "demo_chain.csv").read_bytes()
    draw_figures(tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == {"scaling.png", "questions.png"}


def test_the_estimates_follow_from_the_tasks(examples, tmp_path):
    from results_page import recipe, write

    tasks = pd.read_csv(RESULTS / "tasks.csv", keep_default_na=False)
    write(recipe(tasks), tmp_path / "recipe.csv")
    assert (tmp_path / "recipe.csv").read_bytes() == (RESULTS / "recipe.csv").read_bytes()


# A decimal or a percentage; not a version, and no count.
NUMBER = re.compile(r"(?<![\w.:/-])-?(?:\d*\.\d+(?:e-?\d+)?|\d+(?= %))(?!\w|\.\d)( %)?")
NAMED = re.compile(r"\([^()]*``[\w-]+\.csv``[^()]*\)|``[\w-]+\.csv``")
LEVELS = {"90 %", "95 %", "99 %"}  # of intervals, and shares of variance that are asked for


def claims(page):
    """Each piece of a page before the tables that it rests on, with their names."""
    heading = []
    for block in re.split(r"\n\s*\n|\n(?=\s*- )", page.read_text(encoding="utf-8")):
        text, start = " ".join(block.split()), 0
        for named in NAMED.finditer(text):
            names = re.findall(r"``([\w-]+\.csv)``", named[0])
            yield text[start : named.end()], {*names, *heading}
            start = named.end()
        if not text.startswith("- "):  # what stands before a list holds for all of it
            heading = names if start and text.endswith(":") else []


PAGES = sorted(
    path.name
    for path in (ROOT / "docs").glob("*.*")
    if path.suffix in (".rst", ".txt") and NAMED.search(path.read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("page", PAGES)
def test_every_number_stands_in_a_table_that_is_named_beside_it(page):
    for text, names in claims(ROOT / "docs" / page):
        for found in NUMBER.finditer(text):
            said, percent = found[0].removesuffix(" %"), found[1]
            if found[0] in LEVELS:
                continue
            numbers = [float(x) for name in names for x in numbers_of(name)]
            numbers += [100 * x for x in numbers if percent]
            rounded = {same_digits(x, said) for x in numbers}
            assert same_digits(float(said), said) in rounded, f"{found[0]} in {text!r}"


def same_digits(number, said):
    """The absolute value with as many digits as a number has that is said."""
    digits, _, exponent = said.partition("e")
    n_digits = len(digits.partition(".")[2])
    return f"{abs(number):.{n_digits}{'e' if exponent else 'f'}}"


@cache
def numbers_of(name):
    """All numbers in a table."""
    return set(re.findall(r"(?<![\w.])-?\d*\.?\d+(?:e-?\d+)?", (RESULTS / name).read_text()))
