"""
How large a model does this task need?
======================================

With nested embeddings the size of the model is the length of a prefix. Two ways to choose it: a
grid search over whole pipelines, which works with any probe, and
:class:`~sklearn_revdist.PrefixRidgeCV`, which scores every prefix at once.
"""

# %%
# A search over whole pipelines
# -----------------------------
#
# The pipeline starts from sequences. Three candidates and five folds would embed every sequence
# fifteen times; with ``store=`` each is embedded once, and any later search finds it there.

import tempfile
from pathlib import Path

from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import EmbeddingStore, ESMEmbedder, ReverseDistiller, load_if1_ecoli

X, y = load_if1_ecoli(return_X_y=True)
X, y = X[::2], y[::2]  # half of the variants, for brevity
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "embeddings.sqlite"


def spearman(model, X, y):
    return spearmanr(model.predict(X), y).statistic


folds = KFold(5, shuffle=True, random_state=0)
search = GridSearchCV(
    make_pipeline(
        ESMEmbedder("demo", store=path),
        ReverseDistiller(memory=folder.name),  # the chain is solved once a fold
        StandardScaler(),
        Ridge(100),
    ),
    {"reversedistiller__n_components": ["demo-48", "demo-96", "demo-160"]},
    scoring=spearman,
    cv=folds,
)
search.fit(X, y)
print("best:", search.best_params_["reversedistiller__n_components"])
with EmbeddingStore(path) as store:
    print(store.contents()[["model", "width", "n_sequences"]])

# %%
# Every prefix at once
# --------------------
#
# Why stop at three candidates? For a ridge probe the factorisation of all columns contains those
# of every prefix, and the predictions of each row by the others. ``one_standard_error=True`` takes
# the shortest prefix whose score is within one standard error of the best. Column names tell the
# probe where the models end; pandas output carries them.

from sklearn_revdist import PrefixCurveDisplay, PrefixRidgeCV

H = ESMEmbedder("demo", store=path).set_output(transform="pandas").transform(X)
probe = make_pipeline(
    ReverseDistiller().set_output(transform="pandas"),
    PrefixRidgeCV(scoring="spearman", one_standard_error=True),
).fit(H, y)
print(f"{probe[-1].n_prefix_} columns, penalty {probe[-1].alpha_:g}")

# %%
# The curve is the answer in full: how fast the score rises, where it is flat, and how little the
# rows can tell neighbours apart. The squares are the grid search's three scores, with one fixed
# penalty and a distiller fitted anew in each fold.

import matplotlib.pyplot as plt

display = PrefixCurveDisplay.from_estimator(probe[-1])
display.ax_.errorbar(
    [48, 96, 160],
    search.cv_results_["mean_test_score"],
    yerr=search.cv_results_["std_test_score"] / 5**0.5,
    fmt="s",
    color="#D55E00",
    capsize=3,
    label="grid search",
)
display.ax_.legend(frameon=False, loc="upper left")
display.figure_.set_size_inches(8, 4.5)
plt.show()

# %%
# The best of many scores flatters. For an honest figure, cross-validate the pipeline with the
# choice inside it.

from sklearn.model_selection import cross_val_score

scores = cross_val_score(probe, H, y, scoring=spearman, cv=folds)
print(f"Spearman {scores.mean():.2f} +- {scores.std():.2f}, chosen anew in each training fold")

folder.cleanup()
