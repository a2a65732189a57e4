"""The tables of the page of results that are made from its other tables."""

import shutil
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
