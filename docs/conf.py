"""Sphinx configuration. Build: sphinx-build -W docs docs/_build"""

import json
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml
from sklearn.base import BaseEstimator

import sklearn_revdist
from sklearn_revdist import ReverseDistiller

project = "sklearn_revdist"
author = "sklearn_revdist developers"
copyright = "2026, sklearn_revdist developers"  # Sphinx's name for it
release = version = installed_version("sklearn-revdist")

sys.path.insert(0, str(Path(__file__).parent))  # for score_tables

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "score_tables",
]
exclude_patterns = ["_build", "_generated/demo_chain.rst"]
templates_path = ["_templates"]
rst_prolog = ".. currentmodule:: sklearn_revdist\n"  # :class:`ESMEmbedder` links from every page
default_role = "literal"  # `X` in a docstring is code, as numpydoc means it
toc_object_entries_show_parents = "hide"
html_theme = "pydata_sphinx_theme"
html_title = f"{project} {version}"
# The pages of the user guide have a list of their neighbours; the rest is one level deep.
html_sidebars = {"index": [], "install": [], "api": [], "auto_examples/index": []}
html_theme_options = {
    "logo": {"text": html_title},
    "github_url": "https://github.com/sklearn-revdist/sklearn_revdist",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"

autodoc_typehints = "none"  # numpydoc's sections say types, with shapes and units
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "_generated/backreferences",  # what an API page lists below its text
    "doc_module": ("sklearn_revdist",),
    "reference_url": {"sklearn_revdist": None},
    "image_srcset": ["2x"],  # 200 dots per inch on screens that show them
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 10,
    "write_computation_times": False,
}


def write_demo_chain_table(app):
    """Write the model card's table from the reports that training left beside the weights."""
    reports = sorted(
        (
            json.loads(path.read_text())
            for path in (Path(__file__).parents[1] / "sklearn_revdist/bundled").glob(
                "esm2_*_demo.json"
            )
        ),
        key=lambda report: report["width"],
    )
    predicted = ["", *(f"{r2:.2f}" for r2 in ReverseDistiller.from_pretrained("demo").r2_)]
    for report, r2 in zip(reports, predicted, strict=True):
        report["predicted"] = r2
    properties = {
        "model": lambda r: f"``{r['name']}``",
        "layers": lambda r: r["layers"],
        "width": lambda r: r["width"],
        "heads": lambda r: r["heads"],
        "parameters": lambda r: f"{r['parameters']:,}",
        "steps": lambda r: f"{r['steps']:,}",
        "residues seen": lambda r: f"{r['residues_seen'] / 1e6:.1f} M",
        "processes": lambda r: r["processes"],
        "minutes, on shared cores": lambda r: f"{r['minutes']:.0f}",
        "held-out perplexity": lambda r: f"{r['held_out_perplexity']:.2f}",
        "R² from the smaller ones": lambda r: r["predicted"],
    }
    lines = [".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", ""]
    for row in [[name, *map(cell, reports)] for name, cell in properties.items()]:
        lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(row)]
    path = Path(app.srcdir) / "_generated" / "demo_chain.rst"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_inline_math(translator, node):
    translator.body.append(tex2mathml(node.astext()))
    raise SkipNode


def write_block_math(translator, node):
    translator.body.append(
        f'<div class="equation">{tex2mathml(node.astext(), as_block=True)}</div>'
    )
    raise SkipNode


def link_estimators():
    """Let the diagrams of estimators in the gallery link to the reference.

    The package itself has no links there: these pages have no address that they could name.
    """
    for name in sklearn_revdist.__all__:
        public = getattr(sklearn_revdist, name)
        if isinstance(public, type) and issubclass(public, BaseEstimator):
            public._doc_link_module = "sklearn_revdist"
            public._doc_link_template = "../_generated/api/sklearn_revdist.{estimator_name}.html"


def setup(app):
    link_estimators()
    # MathML, which browsers draw themselves: MathJax would be fetched from a network.
    app.add_html_math_renderer("mathml", (write_inline_math, None), (write_block_math, None))
    app.connect("builder-inited", write_demo_chain_table)
