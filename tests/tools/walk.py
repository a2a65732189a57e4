"""Count the modules that a call passes through: python tests/tools/walk.py

Three walks: one sequence through `ESMEmbedder.transform`, some rows through `ReverseDistiller.fit`,
one task through `evaluate`. A move is a call from one module of the package into another, counted
once; it is a return where that module had been entered before. Subpackages are counted likewise.
"""

import sys
import warnings

import numpy as np

from sklearn_revdist import ESMEmbedder, ReverseDistiller, Task, evaluate

PACKAGE = "sklearn_revdist"


def walk(function, depth):
    """Modules, or subpackages with `depth` 1, in the order in which they are entered; and moves."""
    entered, moves = [], []

    def place(frame):
        name = frame.f_globals.get("__name__", "")
        return ".".join(name.split(".")[1 : 1 + depth]) if name.startswith(PACKAGE + ".") else None

    def look(frame, event, _argument):
        here = place(frame) if event == "call" else None
        if here is None or frame.f_code.co_name.startswith("<"):
            return
        caller = frame.f_back
        while caller is not None and place(caller) is None:
            caller = caller.f_back
        before = None if caller is None else place(caller)
        if before != here and (before, here) not in moves:
            moves.append((before, here))
            if here not in entered:
                entered.append(here)

    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(None)
    return entered, moves


def main():
    rng = np.random.default_rng(0)
    proteins = ["".join(rng.choice(list("ACDEFGHIKL"), 12)) for _ in range(30)]
    task = Task("t", proteins, rng.normal(size=30), np.arange(30))
    embedder = ESMEmbedder("demo")
    X = rng.normal(size=(1000, 304))
    walks = {
        "one sequence, ESMEmbedder.transform": lambda: embedder.transform(proteins[:1]),
        "rows, ReverseDistiller.fit": lambda: ReverseDistiller([48, 96, 160]).fit(X),
        "one task, evaluate": lambda: evaluate([task], embedder, ReverseDistiller()),
    }
    for title, function in walks.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function()  # what is imported at use is imported
            for scale, depth in (("subpackages", 1), ("modules", 2)):
                entered, moves = walk(function, depth)
                returns = len(moves) - len(entered)
                print(f"{title}: {len(entered)} {scale}, {len(moves)} moves, {returns} returns")
                print("   ", ", ".join(entered))


if __name__ == "__main__":
    main()
