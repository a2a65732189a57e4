"""
What a prefix knows of every model
==================================

How much of a large model is in the columns of the small ones? For each model of the chain, the
share of its variance that the first column, the first two, and so on explain.
"""

# %%
# The moments of the fit suffice for that: no data is needed again.

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
# Each curve ends near 1 where its own model ends, and is far above 0 long before: most of what the
# larger models say, the smaller ones have said. What the largest adds beyond them is the step from
# 96 to 160 columns.

display = NestedVarianceDisplay.from_estimator(distiller)
display.figure_.set_size_inches(8, 4.5)
plt.show()

# %%
# The fitted attributes have the same in numbers: what is predicted of each model (R²), and how much
# of the rest its new columns keep.

for name, r2, kept in zip(
    distiller.model_names_[1:],
    distiller.r2_,
    distiller.explained_variance_ratio_,
    strict=True,
):
    print(f"{name}: {r2:.2f} predicted; of the rest, new columns keep {kept:.2f}")
