"""Change the code in one place at a time and print each change that no test of it notices.

    pip install "mutmut==3.8.1"
    python tests/tools/mutate.py store

What mutmut leaves alone are functions with decorators; so in the copy that it works on, decorators
are put on by assignment. Constants of a module and defaults of parameters stay as they are.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import libcst as cst

ROOT = Path(__file__).parents[2]
# By group: modules of the package, and files of tests.
GROUPS = {
    "chain": (
        ["matrix/_moments", "distillation/_spaces", "distillation/_chain"],
        [
            *("matrix/test_moments", "matrix/test_torch", "matrix/test_dask"),
            *("distillation/test_spaces", "distillation/test_chain", "distillation/test_row_chain"),
            *("distillation/test_joint_residuals", "distillation/test_solved_chain"),
            "distillation/test_reverse_distiller",
            *("test_partial_fit", "reliability/test_chains", "reliability/test_not_finite"),
            "reliability/test_parameters",
        ],
    ),
    "store": (
        ["embedding/_store", "embedding/_store_file", "embedding/_store_tables"],
        [
            *("embedding/test_store", "embedding/test_store_file", "embedding/test_store_tables"),
            "reliability/test_parameters",
        ],
    ),
}
# In the copy a frame of mutmut's lies between function and caller, and classes have more methods.
LEFT_OUT = [
    "tests/embedding/test_store.py::test_the_warning_of_damage_is_about_the_caller",
    "tests/reliability/test_parameters.py::test_every_parameter_has_a_case",
]
KEPT = {"property", "cached_property", "classmethod", "staticmethod"}


class Undecorated(cst.CSTTransformer):
    """Functions without their decorators, each followed by an assignment that puts them on."""

    def leave_FunctionDef(self, original_node, updated_node):
        decorators = [decorator.decorator for decorator in updated_node.decorators]
        names = {getattr(decorator, "value", None) for decorator in decorators}
        if not decorators or (len(decorators) == 1 and names & KEPT):
            return updated_node
        plain = cst.Name(f"_undecorated_{updated_node.name.value}")
        made = plain
        for decorator in reversed(decorators):
            made = cst.Call(decorator, [cst.Arg(made)])
        assignment = cst.Assign([cst.AssignTarget(updated_node.name)], made)
        return cst.FlattenSentinel(
            [
                updated_node.with_changes(name=plain, decorators=[]),
                cst.SimpleStatementLine([assignment]),
            ]
        )


def settings(modules, tests):
    left_out = [f"--deselect={test}" for test in LEFT_OUT]
    return f"""
[tool.mutmut]
source_paths = ["sklearn_revdist"]
only_mutate = {[f"sklearn_revdist/{name}.py" for name in modules]}
pytest_add_cli_args_test_selection = {[f"tests/{name}.py" for name in tests]}
pytest_add_cli_args = {["-m", "not slow", "-p", "no:cacheprovider", *left_out]}
also_copy = ["README.md"]
process_isolation = "forkserver"
"""


def copy_to(folder, modules, tests):
    for name in ("sklearn_revdist", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "README.md", folder)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(project + settings(modules, tests), encoding="utf-8")
    for name in modules:
        path = folder / "sklearn_revdist" / f"{name}.py"
        module = cst.parse_module(path.read_text(encoding="utf-8"))
        path.write_text(module.visit(Undecorated()).code, encoding="utf-8")


def mutmut(folder, *arguments, **keywords):
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    return subprocess.run(command, cwd=folder, text=True, check=True, **keywords)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("group", choices=GROUPS)
    modules, tests = GROUPS[parser.parse_args().group]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_to(folder, modules, tests)
        mutmut(folder, "run", "--max-children", "1", stdout=subprocess.DEVNULL)
        listed = mutmut(folder, "results", "--all", "true", stdout=subprocess.PIPE).stdout
        outcomes = dict(line.split(": ") for line in map(str.strip, listed.splitlines()) if line)
        for mutant, outcome in outcomes.items():
            if outcome != "killed":
                change = mutmut(folder, "show", mutant, stdout=subprocess.PIPE).stdout
                lines = [line for line in change.splitlines() if line[:1] in {"+", "-"}]
                print(f"{mutant}: {outcome}", *lines[2:], sep="\n", end="\n\n")
        for outcome in sorted(set(outcomes.values())):
            print(f"{outcome}: {list(outcomes.values()).count(outcome)}")


if __name__ == "__main__":
    main()
