"""Global settings of torch change no embedding, and are afterwards what they were."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from torch.backends import cuda, mkldnn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_revdist import ESMEmbedder
from sklearn_revdist.embedding import _esm2, _inference, _linear
from sklearn_revdist.utils._torch_settings import default_settings

SEQUENCES = ["MKTAYIAKQR" * 3, "GSHMLE<mask>K", "W", "ACDEFGHIKLMNPQRSTVWY", "MKTAYIAKQW" * 3]
CPU, GPU = torch.device("cpu"), torch.device("cuda")
newer = pytest.mark.skipif(not hasattr(mkldnn, "matmul"), reason="torch has it since 2.9")


@contextmanager
def changed(get, set_, value):
    """What a user does who sets something."""
    before = get()
    set_(value)
    try:
        yield
    finally:
        set_(before)


def attribute(owner, name, value):
    return changed(partial(getattr, owner, name), partial(setattr, owner, name), value)


def precision(value):
    return changed(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, value)


@contextmanager
def precision_of_all(value):
    """What products inherit, unless they have a precision of their own."""
    own = [changed(partial(_own, m), partial(_set_own, m), "none") for m in (cuda, mkldnn)]
    with own[0], own[1], attribute(torch.backends, "fp32_precision", value):
        yield


def _own(backend):
    return backend.matmul.fp32_precision


def _set_own(backend, value):
    backend.matmul.fp32_precision = value


def attention(*backends):
    return torch.nn.attention.sdpa_kernel([*backends])


def flushed():
    return changed(lambda: False, torch.set_flush_denormal, True)


def deterministic(mode):
    get, set_ = torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
    return changed(get, set_, mode)


def default_dtype(dtype):
    return changed(torch.get_default_dtype, torch.set_default_dtype, dtype)


class Doubled(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        return 2 * found if isinstance(found, torch.Tensor) and found.is_floating_point() else found


class Refused(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        raise AssertionError(function)


def fake_tensors():
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode()


Attention = torch.nn.attention.SDPBackend
OF_PROCESS = {
    "high": lambda: precision("high"),
    "medium": lambda: precision("medium"),
    "allow_tf32": lambda: attribute(cuda.matmul, "allow_tf32", True),
    "deterministic": lambda: deterministic(2),
    "deterministic-warn": lambda: deterministic(1),
    "mkldnn-off": lambda: attribute(mkldnn, "enabled", False),
    "attention-math": lambda: attention(Attention.MATH),
    "attention-efficient": lambda: attention(Attention.EFFICIENT_ATTENTION),
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
}
OF_THREAD = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "meta": lambda: torch.device("meta"),
    "no-grad": torch.no_grad,
    "grad": torch.enable_grad,
    "inference": torch.inference_mode,
    "flush": flushed,
    "function-mode": Doubled,
    "dispatch-mode": Refused,
    "fake-tensors": fake_tensors,
}
if hasattr(mkldnn, "deterministic"):
    OF_PROCESS["mkldnn-deterministic"] = lambda: attribute(mkldnn, "deterministic", True)
if hasattr(mkldnn, "matmul"):
    OF_PROCESS["mkldnn-bf16"] = lambda: attribute(mkldnn.matmul, "fp32_precision", "bf16")
    OF_PROCESS["all-tf32"] = lambda: precision_of_all("tf32")
SETTINGS = OF_PROCESS | OF_THREAD


def pinned():
    """What our computations see of settings that they do not name themselves."""
    return {
        "precision": _precision_on_cpu(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "mkldnn": (mkldnn.enabled, getattr(mkldnn, "deterministic", False)),
        "attention": (
            cuda.flash_sdp_enabled(),
            cuda.mem_efficient_sdp_enabled(),
            cuda.math_sdp_enabled(),
            cuda.cudnn_sdp_enabled(),
        ),
        "autocast": torch.is_autocast_enabled("cpu"),
        "device": (str(torch.empty(0).device), type(torch.empty(0))),
        "subnormal": sys.float_info.min / 2 > 0,
        "two": float(torch.ones(2, device="cpu").sum()),
    }


def _precision_on_cpu():
    if not hasattr(mkldnn, "matmul"):
        return torch.get_float32_matmul_precision()
    found = mkldnn.matmul.fp32_precision
    return "none" if found == "ieee" else found  # which is the same


def seen():
    """All that a user can see of settings."""
    modes = torch._C._len_torch_dispatch_stack(), torch._C._len_torch_function_stack()
    with torch.utils._python_dispatch._disable_current_modes():
        return pinned() | {
            "dtype": torch.get_default_dtype(),
            "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
            "anomaly": torch.is_anomaly_enabled(),
            "modes": modes,
            "cuda": _cuda_precision(),
        }


def _cuda_precision():
    found = []
    for get in (torch.get_float32_matmul_precision, lambda: cuda.matmul.allow_tf32):
        try:
            found.append(get())
        except RuntimeError:  # the newer interface has been used
            found.append(None)
    return found


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    """Models are loaded again, and torch is asked again what it can do."""
    monkeypatch.setattr(_inference, "_models", _inference._Models(max_models=8))
    _linear._can_pack.cache_clear()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    _linear._can_pack.cache_clear()


@pytest.fixture
def recorded(monkeypatch):
    """Settings that models were made and computed under."""
    found = []

    def recording(function):
        def recorder(self, *args, **kwargs):
            found.append(pinned())
            return function(self, *args, **kwargs)

        return recorder

    for name in ("__init__", "forward"):
        monkeypatch.setattr(_esm2.ESM2, name, recording(getattr(_esm2.ESM2, name)))
    return found


def embed(dtype="float32"):
    embedder = ESMEmbedder("demo", device="cpu", dtype=dtype, batch_tokens=60)
    rows = [rows for rows, _ in embedder.iter_residues(SEQUENCES, block_rows=16)]
    return np.concatenate([embedder.transform(SEQUENCES), *rows])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", SETTINGS)
def test_embeddings_are_the_same_bits_and_settings_stay(name, dtype, recorded, monkeypatch):
    try:
        expected = embed(dtype)
    except RuntimeError as error:
        if "pack_vnni2" not in str(error):
            raise
        pytest.skip("ATEN_CPU_CAPABILITY is below what torch takes for bfloat16 on this processor")
    default = recorded[0]
    outside = seen()
    monkeypatch.setattr(_inference, "_models", _inference._Models(max_models=8))
    _linear._can_pack.cache_clear()
    with SETTINGS[name]():
        before = seen()
        assert before != outside or name == "grad"  # which is what torch does anyway
        found = embed(dtype)
        assert seen() == before
    np.testing.assert_array_equal(found, expected)
    assert len(recorded) > 6
    assert recorded == [default] * len(recorded)
    assert seen() == outside


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_stay_after_an_error_and_between_blocks(name, monkeypatch):
    embedder = ESMEmbedder("demo", device="cpu")
    with SETTINGS[name]():
        before = seen()
        blocks = embedder.iter_residues(SEQUENCES, block_rows=4)
        next(blocks)
        assert seen() == before
        blocks.close()
        assert seen() == before

        def forward(self, sequences, layers):
            raise ZeroDivisionError

        monkeypatch.setattr(_esm2.ESM2, "forward", forward)
        with pytest.raises(ZeroDivisionError):
            embedder.transform(SEQUENCES)
        assert seen() == before


@pytest.mark.parametrize("name", SETTINGS)
def test_four_threads_at_once_compute_under_the_defaults(name, recorded, monkeypatch):
    expected = embed()
    default = recorded[0]
    together, forward = threading.Barrier(4, timeout=60), _esm2.ESM2.forward

    def waiting(self, sequences, layers):
        together.wait()  # all are in the forward pass
        return forward(self, sequences, layers)

    monkeypatch.setattr(_esm2.ESM2, "forward", waiting)
    of_process = OF_PROCESS.get(name, nullcontext)
    of_thread = OF_THREAD.get(name, nullcontext)

    def embed_in_thread(_):
        with of_thread():
            before = seen() if name in OF_THREAD else None
            found = embed()
            assert name in OF_PROCESS or seen() == before
        return found

    with of_process():
        before = seen()
        with ThreadPoolExecutor(4) as threads:
            for found in threads.map(embed_in_thread, range(4)):
                np.testing.assert_array_equal(found, expected)
        assert seen() == before
    assert recorded == [default] * len(recorded)


@pytest.mark.parametrize("name", ["medium", "attention-math", "mkldnn-off", "autocast", "meta"])
def test_a_store_keeps_the_same_under_any_setting(name, tmp_path, monkeypatch):
    expected = ESMEmbedder("demo", device="cpu").transform(SEQUENCES)
    embedder = ESMEmbedder("demo", device="cpu", store=tmp_path / "s.sqlite")
    with SETTINGS[name]():
        embedder.transform(SEQUENCES)
    monkeypatch.setattr(_inference.EmbeddingRun, "embed", pytest.fail)
    np.testing.assert_array_equal(embedder.transform(SEQUENCES), expected)


# ------------------------------------------------------------------ settings of the process


def test_contexts_of_two_threads_may_overlap_and_the_last_one_restores():
    entered, leave = threading.Event(), threading.Event()

    def until_asked():
        with default_settings(CPU):
            entered.set()
            assert leave.wait(60)

    with deterministic(1), ThreadPoolExecutor(1) as other:
        with default_settings(CPU):
            left = other.submit(until_asked)
            assert entered.wait(60)
        assert torch.get_deterministic_debug_mode() == 0
        leave.set()
        left.result()
        assert torch.get_deterministic_debug_mode() == 1


def test_what_another_thread_sets_meanwhile_stays():
    with deterministic(1):
        with default_settings(CPU):
            torch.set_deterministic_debug_mode(2)
            with default_settings(CPU):
                assert torch.get_deterministic_debug_mode() == 0
        assert torch.get_deterministic_debug_mode() == 2
        with default_settings(CPU):
            torch.set_deterministic_debug_mode(1)
        assert torch.get_deterministic_debug_mode() == 1


@newer
@pytest.mark.parametrize("device", [CPU, GPU], ids=str)
def test_precision_that_is_inherited_is_so_again(device):
    with precision_of_all("tf32"):
        with default_settings(device):
            assert mkldnn.matmul.fp32_precision == "ieee"
        assert mkldnn.matmul.fp32_precision == "tf32"
        torch.backends.fp32_precision = "none"
        assert mkldnn.matmul.fp32_precision == cuda.matmul.fp32_precision == "none"


FOR_CUDA = {
    "high": lambda: precision("high"),
    "allow_tf32": lambda: attribute(cuda.matmul, "allow_tf32", True),
    **{
        name: partial(attribute, cuda.matmul, name, value)
        for name, value in {
            "allow_fp16_reduced_precision_reduction": False,
            "allow_bf16_reduced_precision_reduction": False,
            "allow_fp16_accumulation": True,
        }.items()
        if hasattr(cuda.matmul, name)
    },
}


def of_cuda():
    names = [name for name in FOR_CUDA if name.startswith("allow")]
    return {name: getattr(cuda.matmul, name) for name in names}


@pytest.mark.parametrize("name", FOR_CUDA)
def test_products_on_cuda_are_at_their_defaults_for_cuda_alone(name):
    default = of_cuda()
    with FOR_CUDA[name]():
        before = of_cuda(), torch.get_float32_matmul_precision()
        assert before[0] != default
        with default_settings(GPU):
            assert of_cuda() == default
            assert torch.get_float32_matmul_precision() == "highest"
        assert (of_cuda(), torch.get_float32_matmul_precision()) == before
        if hasattr(mkldnn, "matmul"):
            with default_settings(CPU):
                assert of_cuda() == before[0]


@newer
def test_both_interfaces_to_precision_are_restored_on_cuda():
    with precision("medium"):
        mkldnn.matmul.fp32_precision = "ieee"
        with default_settings(GPU):
            assert cuda.matmul.fp32_precision == mkldnn.matmul.fp32_precision == "ieee"
            assert not cuda.matmul.allow_tf32
        assert torch.get_float32_matmul_precision() == "medium"
        assert (cuda.matmul.fp32_precision, mkldnn.matmul.fp32_precision) == ("tf32", "ieee")


def test_autocast_on_cuda_is_off():
    before = torch.is_autocast_enabled("cuda")
    torch.set_autocast_enabled("cuda", True)
    try:
        with default_settings(GPU):
            assert not torch.is_autocast_enabled("cuda")
        assert torch.is_autocast_enabled("cuda")
    finally:
        torch.set_autocast_enabled("cuda", before)
