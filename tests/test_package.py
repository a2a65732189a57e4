"""The package as a whole: a quiet import, one version, a README that runs."""

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import get_overloads

import numpy as np
import pandas as pd
import pytest
import torch

import sklearn_revdist
from sklearn_revdist import ReverseDistiller, load_if1_ecoli, load_secondary_structure

README = Path(__file__).parents[1] / "README.md"
DOCS = README.parent / "docs"
# Numbers of blocks of Python.
PAGES = {
    README: 6,
    DOCS / "index.rst": 1,
    DOCS / "embedding.rst": 1,
    DOCS / "distilling.rst": 3,
    DOCS / "probes.rst": 5,
    DOCS / "saving.rst": 2,
    DOCS / "neighbors.rst": 6,
    DOCS / "layers.rst": 4,
    DOCS / "assays.rst": 2,
    DOCS / "campaigns.rst": 2,
}

IMPORT = """
import logging, sys, warnings
handlers, level = list(logging.root.handlers), logging.root.level
filters, path = list(warnings.filters), list(sys.path)
import sklearn_revdist
loaded = sorted({name.partition(".")[0] for name in sys.modules})
assert logging.root.handlers == handlers, logging.root.handlers
assert logging.root.level == level
assert sys.path == path
for name in ("torch", "esm", "matplotlib", "click"):
    assert name not in loaded, name
"""


@pytest.fixture
def python(tmp_path):
    """Run Python in a folder of its own, warnings as errors; returns the finished process."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"},
        )

    return run


def test_import_has_no_side_effects(python):
    process = python("-c", IMPORT)
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    assert process.stderr == ""


def test_the_version_is_the_installed_one():
    assert sklearn_revdist.__version__ == version("sklearn-revdist")
    citation = (README.parent / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {sklearn_revdist.__version__}\n" in citation


def test_what_is_exported_is_what_type_checkers_read():
    stub = Path(sklearn_revdist.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    *imports, exported, _ = ast.parse(stub).body[1:]
    imported = {alias.name for node in imports for alias in node.names}
    assert sklearn_revdist.__all__ == sorted(sklearn_revdist.__all__)
    assert set(sklearn_revdist.__all__) == imported == set(ast.literal_eval(exported.value))
    assert imported <= set(dir(sklearn_revdist))
    with pytest.raises(AttributeError, match="Distiller"):
        sklearn_revdist.Distiller  # noqa: B018


def test_types_of_all_that_is_public_are_checked():
    settings = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))
    package = Path(sklearn_revdist.__file__).parent
    stub = ast.parse((package / "__init__.pyi").read_text(encoding="utf-8"))
    modules = {
        f"sklearn_revdist/{node.module.replace('.', '/')}.py"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
    }
    assert modules <= set(settings["tool"]["mypy"]["files"])
    assert (package / "py.typed").is_file()


@pytest.mark.parametrize("name", sklearn_revdist.__all__)
def test_every_public_parameter_and_result_has_a_type(name):
    made = getattr(sklearn_revdist, name)
    functions = {name: made} if inspect.isfunction(made) else {}
    for each in made.__mro__ if inspect.isclass(made) else []:
        for attribute, member in vars(each).items():
            member = getattr(member, "__func__", getattr(member, "fget", member))
            public = not attribute.startswith("_") or attribute == "__init__"
            ours = getattr(member, "__module__", None) == each.__module__
            if public and ours and inspect.isfunction(member) and "revdist" in each.__module__:
                functions[attribute] = member
    for attribute, function in functions.items():
        if get_overloads(function):
            continue
        signature = inspect.signature(function)
        taken = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        assert all(p.annotation is not p.empty for p in taken), attribute
        assert attribute == "__init__" or signature.return_annotation is not signature.empty


def test_the_conda_recipe_needs_what_the_package_needs():
    settings = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))
    recipe = (README.parent / ".ci" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    (run,) = re.findall(r"^  run:\n((?:    - .*\n)+)", recipe, re.MULTILINE)
    needed = {line.removeprefix("    - ").replace(" ", "") for line in run.splitlines()}
    declared = {name.replace("torch", "pytorch") for name in settings["project"]["dependencies"]}
    assert needed == declared | {"python>=${{python_min}}"}


def shown(page):
    """The Python of a page, block by block, and what the page says that each prints."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        found = re.findall(r"^```(python|text)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    else:
        found = re.findall(
            r"^\.\. code-block:: (python|text)\n\n((?:   .*\n|\n)+)", text, re.MULTILINE
        )
    blocks = []
    for kind, content in found:
        if kind == "python":
            blocks.append((textwrap.dedent(content), ""))
        else:
            blocks[-1] = blocks[-1][0], textwrap.dedent(content)
    return blocks


def assert_printed(printed, expected):
    """The same words, and numbers that rounding may move by a digit or two."""
    number = r"(?<![\w.])\d+(?:\.\d+)?(?![\w])"
    assert re.sub(number, "#", printed).split() == re.sub(number, "#", expected).split()
    np.testing.assert_allclose(
        [float(found) for found in re.findall(number, printed)],
        [float(found) for found in re.findall(number, expected)],
        rtol=0,
        atol=0.021,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_what_the_pages_show_is_what_their_code_prints(page, python):
    blocks = shown(page)
    assert len(blocks) == PAGES[page]
    mark = "=" * 9
    process = python("-c", f"\nprint({mark!r})\n".join(code for code, _ in blocks))
    assert process.returncode == 0, process.stderr
    for printed, (code, expected) in zip(process.stdout.split(mark), blocks, strict=True):
        assert expected, f"nothing is shown of what this prints: {code}"
        assert_printed(printed, expected)


@pytest.mark.slow
def test_the_commands_of_the_readme_run_on_tables_of_others(python, fair_esm, tmp_path):
    pytest.importorskip("pyarrow")
    table = load_if1_ecoli(as_frame=True).frame[::100]
    table.to_csv(tmp_path / "proteins.csv", index=False, lineterminator="\r\n")
    natural = [f">natural\r\n{x.lower()}\r\n" for x in load_secondary_structure().data[:20]]
    (tmp_path / "natural.fasta").write_bytes("".join(natural).encode())
    text = README.read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(revdist embed .*?)```", text, re.DOTALL)
    for line in block.splitlines():
        process = python("-m", "sklearn_revdist", *shlex.split(line)[1:])
        assert process.returncode == 0, process.stderr
    nested = pd.read_parquet(tmp_path / "nested.parquet").set_index("name")
    distiller = ReverseDistiller.from_pretrained(tmp_path / "distiller.safetensors")
    fair_esm.means("demo", table["sequence"]).map(distiller.transform).assert_matched(nested)


def test_the_commands_from_a_spreadsheet_to_predictions_run(python, tmp_path):
    pytest.importorskip("skops")
    pytest.importorskip("matplotlib")
    (block,) = re.findall(r"```sh\n(cp .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    copy, *lines = block.splitlines()
    _, source, target = shlex.split(copy)
    frame = pd.read_csv(README.parent / source)[::30]
    frame.to_csv(tmp_path / target, index=False)
    printed = ""
    for line in lines:
        process = python("-m", "sklearn_revdist", *shlex.split(line)[1:])
        assert process.returncode == 0, process.stderr
        printed += process.stdout
    assert "one_hot" in printed
    predictions = pd.read_csv(tmp_path / "singles.csv")
    assert len(predictions) == 19 * 72
    assert predictions["rank"].is_monotonic_increasing
    assert (tmp_path / "singles.png").read_bytes().startswith(b"\x89PNG")


def test_the_commands_to_search_and_annotate_run(python, tmp_path):
    proteins = load_secondary_structure().data[:30]
    for file, some in (("proteome.fasta", proteins), ("queries.fasta", proteins[:10])):
        records = [f">p{i} GN=gene{i % 3}\n{protein}\n" for i, protein in enumerate(some)]
        (tmp_path / file).write_text("".join(records), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(revdist search .*?)```", text, re.DOTALL)
    for line in block.splitlines():
        process = python("-m", "sklearn_revdist", *shlex.split(line)[1:])
        assert process.returncode == 0, process.stderr
    hits = pd.read_csv(tmp_path / "hits.tsv", sep="\t")
    best = hits[hits["rank"] == 1]
    assert (best["query"] == best["target"]).all()
    genes = pd.read_csv(tmp_path / "genes.tsv", sep="\t")
    assert set(genes["label"]) <= {"gene0", "gene1", "gene2"}


def test_files_of_extract_py_are_read_as_the_page_on_moving_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    written = {
        "out_8M": (6, random.normal(size=(1600, 320))),
        "out_35M": (12, random.normal(size=(1600, 480))),
    }
    for folder, (layer, rows) in written.items():
        Path(folder).mkdir()
        for i, row in enumerate(rows):
            means = {layer: torch.tensor(row, dtype=torch.float32)}
            result = {"label": f"p{i:04}", "mean_representations": means}
            torch.save(result, f"{folder}/p{i:04}.pt")
    namespace = {}
    for code, _ in shown(DOCS / "moving.rst"):
        exec(code, namespace)
    assert namespace["names"] == [f"p{i:04}" for i in range(1600)]
    assert namespace["distiller"].prefix_lengths_.tolist() == [320, 480]
    nested = namespace["distiller"].transform(np.hstack([namespace["small"], namespace["large"]]))
    np.testing.assert_array_equal(nested[:, :320], written["out_8M"][1].astype(np.float32))


def test_the_readme_says_when_to_use_this_as_the_pages_do():
    said = (DOCS / "when_to_use.txt").read_text(encoding="utf-8").replace("``", "`")
    assert said in README.read_text(encoding="utf-8")


def test_the_readme_has_the_two_commands():
    text = README.read_text(encoding="utf-8")
    assert 'pip install -c constraints.txt ".[plot]" && revdist demo' in text
    assert 'pip install -c constraints.txt -e ".[test]" && pytest' in text
