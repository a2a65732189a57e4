"""fair-esm's own rows in both precisions, and nothing that is left behind."""

import numpy as np
import pytest
import torch

from sklearn_revdist.embedding._checkpoints import read_checkpoint
from sklearn_revdist.embedding._fair_esm import FairESM

CPU = torch.device("cpu")
SEQUENCES = ["MKTAYIAKQRQISFVKSHFSRQ", "M", "XBZUO", "MK<mask>TX<mask>", "<mask>"]


@pytest.fixture
def stock(tiny):
    return FairESM(read_checkpoint(tiny), CPU)


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_rows_are_those_of_fair_esm_as_it_loads_the_file_itself(stock, tiny, fair_esm, sequence):
    expected = fair_esm.rows([tiny], sequence)
    expected.assert_matched(stock.rows(sequence))
    double = stock.rows(sequence, double=True)
    assert double.dtype == np.float64
    np.testing.assert_allclose(double, expected.double, rtol=0, atol=1e-12)


def test_precisions_leave_nothing_to_each_other(stock):
    """Neither weights nor rotary tables of the same length."""
    single, double = (stock.rows(SEQUENCES[0], double=d) for d in (False, True))
    for _ in range(2):
        np.testing.assert_array_equal(stock.rows(SEQUENCES[0]), single)
        np.testing.assert_array_equal(stock.rows(SEQUENCES[0], double=True), double)
    assert 0 < np.abs(single - double).max() < 1e-4


def test_the_last_of_all_layers_are_the_rows(stock):
    layers = stock.layers(SEQUENCES[0], double=True)
    assert [x.shape for x in layers] == [(22, 24)] * 3
    np.testing.assert_array_equal(layers[-1], stock.rows(SEQUENCES[0], double=True))
    assert np.abs(layers[1] - layers[0]).max() > 0.01


def test_means_are_those_of_rows_in_the_order_of_the_sequences(stock, tiny, fair_esm):
    fair_esm.means([tiny], SEQUENCES).assert_matched(stock.means(SEQUENCES))


def test_what_belongs_to_the_process_is_as_before(tiny):
    from esm import multihead_attention

    softmax, state = multihead_attention.utils_softmax, torch.random.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        stock = FairESM(read_checkpoint(tiny), CPU)
        assert stock.rows("MKT").dtype == np.float32
        stock.rows("MKT", double=True)
        with pytest.raises(KeyError):
            stock.rows("MK?", double=True)
    finally:
        torch.set_default_dtype(torch.float32)
    assert multihead_attention.utils_softmax is softmax
    assert torch.equal(torch.random.get_rng_state(), state)


def test_half_precision_in_the_file_is_no_matter(tmp_path, tiny, load, fair_esm):
    content = load(tiny)
    content["model"] = {name: tensor.half() for name, tensor in content["model"].items()}
    path = tmp_path / "half.pt"
    torch.save(content, path)
    stock = FairESM(read_checkpoint(path), CPU)
    double = fair_esm.rows([path], SEQUENCES[0]).double
    np.testing.assert_allclose(stock.rows(SEQUENCES[0], double=True), double, rtol=0, atol=1e-12)
