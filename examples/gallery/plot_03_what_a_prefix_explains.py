"""
How much a prefix explains of every model
=========================================

How much of a large model is contained in the columns of the small ones? For each model of the
chain, this example plots the share of its variance that the first k columns explain, for every k.
"""

# %%
# The moments of the fit suffice, so the data are not needed again.

import matplotlib.pyplot as plt

from sklearn_revdist import (
    ESMEmbedder,
    NestedVarianceDisplay,
    ReverseDistiller,
    load_secondary_structure,
)

embedder = ESMEmbedder("demo")
residues = load_secondary_structure().data
distiller = ReverseDistiller(regressor="ols").fit_residues(residues, embedder)

# %%
# Each curve ends near 1 where its own model ends, and is far above 0 long before: the smaller
# models predict most of the variance of the larger ones. The contribution of the largest model is
# the step from 96 to 160 columns.

display = NestedVarianceDisplay.from_estimator(distiller)
display.figure_.set_size_inches(8, 4.5)
plt.show()

# %%
# The fitted attributes give the same as numbers: the share of each model that is predicted (R²),
# and the share of the rest that its new columns keep.

for name, r2, kept in zip(
    distiller.model_names_[1:],
    distiller.r2_,
    distiller.explained_variance_ratio_,
    strict=True,
):
    print(f"{name}: {r2:.2f} predicted; of the rest, new columns keep {kept:.2f}")
