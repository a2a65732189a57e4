"""The docstrings of public objects are complete numpydoc."""

import inspect
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_revdist

# What numpydoc asks beyond what helps a reader here, by its code.
EXEMPT = {
    "ES01": "a summary that says it all needs no second paragraph",
    "SA01": "not everything has a neighbour worth naming",
    "EX01": "methods are shown at work in the example of their class",
    "SS05": "noun phrases are summaries, too, and some of their first words end in s",
    "RT02": "a value has a name and a type, as in scikit-learn's docstrings",
    "RT03": "a name such as `self` describes what is returned",
}


def _documented():
    """Names of public objects, and of the methods and properties that they define or inherit."""
    for name in sklearn_revdist.__all__:
        public = getattr(sklearn_revdist, name)
        yield name
        if inspect.isclass(public):
            for attribute in dir(public):
                member = inspect.getattr_static(public, attribute)
                if isinstance(member, classmethod | staticmethod | property):
                    member = getattr(member, "fget", None) or member.__func__
                ours = str(getattr(member, "__module__", "")).startswith("sklearn_revdist")
                if ours and not attribute.startswith("_") and callable(member):
                    yield f"{name}.{attribute}"


def test_the_reference_has_every_public_name():
    reference = Path(__file__).parents[1] / "docs" / "api.rst"
    listed = reference.read_text(encoding="utf-8").split()
    assert [name for name in sklearn_revdist.__all__ if name not in listed] == []


@pytest.mark.parametrize("name", list(_documented()))
def test_numpydoc_finds_no_fault(name):
    report = validate(f"sklearn_revdist.{name}")
    exempt = {*EXEMPT, "RT01"} if "Yields" in report["docstring"] else EXEMPT
    assert [error for error in report["errors"] if error[0] not in exempt] == []
