"""Plots of scores and variances, in the style of scikit-learn's displays."""
