"""SequenceTransformer: what scikit-learn is told of transformers whose rows are sequences."""

from sklearn.base import BaseEstimator, TransformerMixin


class SequenceTransformer(TransformerMixin, BaseEstimator):
    """A transformer of sequences; unless it says otherwise, it has nothing to learn."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags
