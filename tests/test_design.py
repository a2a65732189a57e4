"""The rooms of the design page are the modules, and import what the page says, in its order."""

import ast
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sklearn_revdist"
DESIGN = Path(__file__).parents[1] / "docs" / "design.rst"
OUTSIDE = {"scikit-learn": "sklearn", "fair-esm": "esm"}  # named otherwise where imported
ENTRANCES = {"__init__", "__main__"}  # they import everything
EVERYWHERE = sys.stdlib_module_names | {"numpy"}


def _rooms():
    """For each room, in the page's order: what it imports, and what it imports at use."""
    table = DESIGN.read_text(encoding="utf-8").partition("may import")[2]
    rooms = {}
    for name, cell in re.findall(
        r"^   \* - ``(\w+)``\n     - .*?\n     - (.*?)(?=^   \* -|^\S)",
        table,
        re.DOTALL | re.MULTILINE,
    ):
        allowed, at_use = set(), set()
        for part in " ".join(cell.split()).split(";"):
            lazy = part.endswith(" at use")
            words = part.removesuffix(" at use").replace(" and ", ", ").split(",")
            names = {word.strip().strip("`") for word in words} - {"nothing", ""}
            (at_use if lazy else allowed).update(OUTSIDE.get(n, n.lower()) for n in names)
        assert name not in rooms, f"{name} is in the table twice"
        rooms[name] = allowed, at_use
    return rooms


def _imports(path):
    """Rooms and other packages that a module imports, and those that only its functions do."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    at_import, at_use = set(), set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        found = {name.partition(".")[0].lower() for name in names if name != "__version__"}
        (at_use if node in inside else at_import).update(found - EVERYWHERE)
    return at_import, at_use - at_import


ROOMS = _rooms()


def test_the_table_has_every_module():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - ENTRANCES
    assert set(ROOMS) == modules


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_table_says(room):
    assert _imports(PACKAGE / f"{room}.py") == ROOMS[room]


def test_no_room_imports_one_below_it():
    order = list(ROOMS)
    for i, room in enumerate(order):
        at_import, at_use = _imports(PACKAGE / f"{room}.py")
        assert not (at_import | at_use) & set(order[i:]), room
