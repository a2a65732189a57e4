"""
How large a model does this task need?
======================================

With nested embeddings the size of the model is the length of a prefix. Choose it in one of two
ways: with a grid search over whole pipelines, which works with any probe, or with
:class:`~sklearn_revdist.PrefixRidgeCV`, which scores every prefix at once.
"""

# %%
# Search over whole pipelines
# ---------------------------
#
# The pipeline starts from sequences. Three candidates and five folds would embed every sequence
# fifteen times. With ``store=`` each is embedded once, and later searches reuse it.

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
        ReverseDistiller(memory=folder.name),  # the chain is solved once per fold
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
# Score every prefix at once
# --------------------------
#
# For a ridge probe, the factorisation of all columns contains that of every prefix, and also gives
# the leave-one-out predictions. So all prefixes can be scored. ``one_standard_error=True`` chooses
# the shortest prefix whose score is within one standard error of the best.

from sklearn_revdist import PrefixCurveDisplay, PrefixRidgeCV

H = ESMEmbedder("demo", store=path).transform(X)
probe = make_pipeline(
    ReverseDistiller(), PrefixRidgeCV(scoring="spearman", one_standard_error=True)
).fit(H, y)
print(f"{probe[-1].n_prefix_} columns, penalty {probe[-1].alpha_:g}")

# %%
# The curve shows how fast the score rises, where it is flat, and how little neighbouring prefixes
# differ. The pipeline tells where the models end. The squares are the three scores of the grid
# search, with one fixed penalty and a distiller fitted anew in each fold.

import matplotlib.pyplot as plt

display = PrefixCurveDisplay.from_estimator(probe)
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
# The best of many scores is optimistic. For an unbiased score, cross-validate the pipeline,
# including the choice of the prefix.

from sklearn.model_selection import cross_val_score

scores = cross_val_score(probe, H, y, scoring=spearman, cv=folds)
print(f"Spearman {scores.mean():.2f} +- {scores.std():.2f}, chosen anew in each training fold")

folder.cleanup()
