"""Random checkpoints in fair-esm's own format, random embeddings, and the program to run."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager, nullcontext
from functools import lru_cache, partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import hypothesis
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode

# Imported first, so that modules that are named to pytest are not loaded beside it.
from sklearn_revdist import Moments
from sklearn_revdist.embedding import _checkpoints
from sklearn_revdist.embedding._checkpoints import locate
from sklearn_revdist.utils._models import resolve_chain

# Threads that wait for a busy core cost far more than they save. Whoever sets OMP_NUM_THREADS wants
# to see the tests hold with so many, and torch has taken that number already.
if "OMP_NUM_THREADS" not in os.environ:
    torch.set_num_threads(1)

# The same examples each time, and no test that depends on the time it takes.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")

# A shell's background job ignores SIGINT, and so would all processes that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Programs that need what is not installed for the tests: the reference implementation and mutmut.
collect_ignore = ["published/make.py", "tools"]


def pytest_make_parametrize_id(val, argname):
    """Content of files may hold the time, but processes have to collect the same tests."""
    return f"{argname}{len(val)}" if isinstance(val, bytes) else None


def _write_checkpoint(path, n_layers=2, width=24, n_heads=3, *, seed=0, token_dropout=True):
    from esm.model.esm2 import ESM2

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ESM2(n_layers, width, n_heads, token_dropout=token_dropout)
        tensors = {k: v for k, v in model.state_dict().items() if not k.startswith("contact_head")}
        for name, tensor in tensors.items():
            if "layer_norm" in name or name.endswith("bias"):
                tensor += 0.3 * torch.randn_like(tensor)  # ones and zeros would hide mistakes
            if "q_proj.weight" in name or "k_proj.weight" in name:
                tensor *= 2  # so would attention that is nearly uniform
            if name.endswith("inv_freq"):
                tensor.copy_(tensor.half())  # as training rounded ESM-2's
    prefix = {True: "encoder.", False: "encoder.sentence_encoder."}
    config = argparse.Namespace(
        arch="transformer_esm2",
        encoder_layers=n_layers,
        encoder_embed_dim=width,
        encoder_attention_heads=n_heads,
        token_dropout=token_dropout,
    )
    content = {
        "cfg": {"model": config},
        "model": {prefix[k.startswith("lm_head")] + k: v for k, v in tensors.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def _embeddings(rng, n_samples=300, dims=(4, 7, 12)):
    latent = rng.normal(size=(n_samples, max(dims)))
    X = np.hstack([latent @ rng.normal(size=(max(dims), d)) for d in dims])
    return X + 0.3 * rng.normal(size=X.shape) + 10 * rng.normal(size=X.shape[1])


def _state(distiller):
    held = vars(distiller).copy()
    for name, value in vars(held.pop("moments_", None) or Moments.zeros(0)).items():
        held[f"moments_.{name}"] = value
    if (chain := held.pop("_chain", None)) is not None:
        held["_chain.mean"] = chain.mean
        for i, level in enumerate(chain.levels):
            held |= {f"_chain.{i}.{name}": value for name, value in vars(level).items()}
    return {name: np.array(value) for name, value in held.items()}


def _load(path):
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(path, weights_only=True)


class _Reference(NamedTuple):
    """Values as the stock implementation computes them in float32, and in float64."""

    single: np.ndarray
    double: np.ndarray

    def map(self, function):
        """What a function makes of them, in each precision."""
        return _Reference(function(self.single), function(self.double))

    def assert_matched(self, found):
        """Float32 values are as close to float64 as can be asked on any processor.

        Processors, threads and batches decide in which order products are summed, and so how they
        are rounded. Two right implementations are about equally far from float64, but the largest
        error of a few hundred values is a matter of luck: with three instruction sets and one and
        two threads, ours was up to 3.4 times the stock one. Mistakes are further away: of eight
        made on purpose, as exact in place of stored rotary frequencies, the least was 40 times.
        Where the stock values happen to be exact, a few roundings of the largest are allowed.
        """
        found = np.asarray(found)
        assert found.shape == self.double.shape
        ours, theirs = (np.abs(x - self.double).max() for x in (found, self.single))
        rounding = np.finfo(np.float32).eps * np.abs(self.double).max()
        assert ours <= 8 * theirs + 4 * rounding, f"{ours:.2g} from float64, stock {theirs:.2g}"

    def assert_rounded(self, found, dtype):
        """Values of a model in half precision are a few roundings of the largest one away.

        Measured: 1.0 to 1.5 roundings; with rotary tables in half precision 9 and 22.
        """
        error = np.abs(np.asarray(found) - self.double).max()
        assert 0 < error <= 4 * torch.finfo(dtype).eps * np.abs(self.double).max(), error


class _SoftmaxInDouble(TorchFunctionMode):
    """fair-esm asks for a softmax in float32, whatever the precision of its weights."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.nn.functional.softmax:
            kwargs["dtype"] = torch.float64
        return function(*args, **kwargs)


class _FairESM:
    """Embeddings by fair-esm itself; a chain's models stand side by side.

    In float64 the checkpoint's tensors are taken as they are, rotary frequencies included, and
    everything that is computed from them is in float64.
    """

    def __init__(self):
        # A file that is written again is another one. A session has few models and sequences.
        self._model = lru_cache(8)(self._load_model)
        self._rows_of_model = lru_cache(4096)(self._embed)

    def rows(self, chain, sequence):
        """Residue rows of one sequence."""
        return self.tokens(chain, sequence).map(lambda rows: rows[1:-1])

    def tokens(self, chain, sequence, layer=None):
        """Rows of <cls>, the residues and <eos> of one sequence in one layer, None for the last."""
        files = [locate(entry) for entry in resolve_chain(chain)]
        found = [self._rows_of_model(file, _written(file), sequence, layer) for file in files]
        return _Reference(*map(np.hstack, zip(*found, strict=True)))

    def logits(self, path, sequence):
        """Logits at the residues of one sequence, by the model's head."""
        return _Reference(
            *(self._logits(path, d, sequence) for d in (torch.float32, torch.float64))
        )

    def _logits(self, path, dtype, sequence):
        model, alphabet = self._model(path, _written(path), dtype)
        tokens = [alphabet.cls_idx, *alphabet.encode(sequence), alphabet.eos_idx]
        in_double = _SoftmaxInDouble() if dtype is torch.float64 else nullcontext()
        with torch.no_grad(), in_double:
            return model(torch.tensor([tokens]))["logits"][0, 1:-1].numpy()

    def residues(self, chain, sequences):
        """Residue rows of some sequences, one after the other."""
        return self._joined(np.concatenate, chain, sequences)

    def means(self, chain, sequences):
        """Means of the residue rows of each sequence."""
        return self._joined(lambda rows: np.stack([_mean(r) for r in rows]), chain, sequences)

    def rounded_rows(self, file, sequence, dtype):
        """Residue rows of one sequence, with weights and activations in half precision."""
        return self._rows(file, _written(file), dtype, sequence, None)[1:-1]

    def _joined(self, join, chain, sequences):
        found = [self.rows(chain, sequence) for sequence in sequences]
        return _Reference(*map(join, zip(*found, strict=True)))

    def _embed(self, file, written, sequence, layer):
        precisions = torch.float32, torch.float64
        return _Reference(*(self._rows(file, written, d, sequence, layer) for d in precisions))

    def _rows(self, file, written, dtype, sequence, layer):
        model, alphabet = self._model(file, written, dtype)
        tokens = [alphabet.cls_idx, *alphabet.encode(sequence), alphabet.eos_idx]
        layer = model.num_layers if layer is None else layer
        in_double = _SoftmaxInDouble() if dtype is torch.float64 else nullcontext()
        with torch.no_grad(), in_double:
            out = model(torch.tensor([tokens]), repr_layers=[layer])
        rows = out["representations"][layer][0]
        return (rows if dtype in (torch.float32, torch.float64) else rows.float()).numpy()

    @staticmethod
    def _load_model(file, written, dtype):
        from esm.pretrained import load_model_and_alphabet_core

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Regression weights not found")
            model, alphabet = load_model_and_alphabet_core("esm2_random", _load(file))
        return model.eval().to(dtype), alphabet


def _written(file):
    state = file.stat()
    return state.st_mtime_ns, state.st_ctime_ns  # the second is that of os.utime, too


def _mean(rows):
    return torch.from_numpy(rows).mean(0).numpy()  # as fair-esm's own program does


@pytest.fixture(scope="session")
def write_checkpoint():
    """Write a random checkpoint to a path and return the path."""
    return _write_checkpoint


@pytest.fixture(scope="session")
def replace_checkpoint():
    """Write another model over a checkpoint, of the same size, and set the file's time back."""

    def replace(path, seed=1):
        before = path.stat()
        _write_checkpoint(path, seed=seed)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = path.stat()
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    return replace


@pytest.fixture(scope="session")
def fair_esm():
    """Embeddings by fair-esm itself in float32 and in float64, each computed once."""
    return _FairESM()


@pytest.fixture(scope="session")
def reference():
    """Values in float32 and in float64 that other values in float32 are judged by."""
    return _Reference


@pytest.fixture(scope="session")
def load():
    """Read the content of a checkpoint, without executing anything in it."""
    return _load


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Path of a checkpoint with 2 layers, width 24 and 3 heads."""
    return _write_checkpoint(tmp_path_factory.mktemp("models") / "tiny.pt")


@pytest.fixture(scope="session")
def hugging_face(tiny):
    """Write the model of `tiny` into a folder of Hugging Face's format."""

    def write(folder, *, prefix="esm.", rotary="layers", old_norms=False, n_parts=1, **config):
        tensors, shared = {}, "esm.rotary_embeddings.inv_freq"
        for name, tensor in _load(tiny)["model"].items():
            if name.startswith("encoder.sentence_encoder."):
                name = prefix + _hugging_face_name(name.removeprefix("encoder.sentence_encoder."))
            if name.endswith("inv_freq") and rotary != "layers":
                name = {"once": shared, "starred": name.replace(".1.", ".*.")}.get(rotary)
            if old_norms and "LayerNorm" in name:
                name = name.replace("weight", "gamma").replace("bias", "beta")
            if name is not None:
                tensors[name] = tensor.clone()
        folder.mkdir(parents=True)
        names = sorted(tensors)
        if n_parts == 1:
            save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        else:
            parts = {
                name: f"model-{i % n_parts + 1}-of-{n_parts}.safetensors"
                for i, name in enumerate(names)
            }
            for part in set(parts.values()):
                save_file({n: tensors[n] for n in names if parts[n] == part}, folder / part)
            index = {"metadata": {}, "weight_map": parts}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        shape = {"num_hidden_layers": 2, "hidden_size": 24, "num_attention_heads": 3}
        rest = {
            "model_type": "esm",
            "vocab_size": 33,
            "position_embedding_type": "rotary",
            "emb_layer_norm_before": False,
            "layer_norm_eps": 1e-5,
            "token_dropout": True,
        }
        (folder / "config.json").write_text(json.dumps(rest | shape | config))
        return folder

    return write


def _hugging_face_name(name):
    """What Hugging Face calls a tensor of fair-esm."""
    for ours, theirs in {
        "embed_tokens": "embeddings.word_embeddings",
        "emb_layer_norm_after": "encoder.emb_layer_norm_after",
        "self_attn_layer_norm": "attention.LayerNorm",
        "final_layer_norm": "LayerNorm",
        "self_attn.q_proj": "attention.self.query",
        "self_attn.k_proj": "attention.self.key",
        "self_attn.v_proj": "attention.self.value",
        "self_attn.out_proj": "attention.output.dense",
        "self_attn.rot_emb": "attention.self.rotary_embeddings",
        "fc1": "intermediate.dense",
        "fc2": "output.dense",
    }.items():
        name = name.replace(ours, theirs)
    return name.replace("layers.", "encoder.layer.")


class _Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def text(self):
        return self.out.decode()

    @property
    def json(self):
        return json.loads(self.out)


def _in_process(*arguments, stdin=b""):
    from sklearn_revdist.cli._main import main

    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return _Ended(result.exit_code, result.stdout_bytes, result.stderr)


def _python(*arguments, stdin=b"", **settings):
    command = [sys.executable, *map(str, arguments)]
    ended = subprocess.run(command, input=stdin, capture_output=True, **settings)
    return _Ended(ended.returncode, ended.stdout, ended.stderr.decode())


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """fair-esm's cache, empty like Hugging Face's, and an address that refuses connections."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(_checkpoints, "DOWNLOAD_ADDRESS", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def server(tmp_path, monkeypatch, hub):
    """Folder whose files a server on this machine offers at the download address."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    with _served(partial(Handler, directory=str(folder))) as address:
        monkeypatch.setattr(_checkpoints, "DOWNLOAD_ADDRESS", address)
        yield folder


@pytest.fixture
def file_server():
    """A server of one file; `breaks` says after how many bytes each answer ends."""

    class Handler(BaseHTTPRequestHandler):
        content, breaks, takes_ranges, code, ranges = b"", [], True, 200, []

        def do_GET(self):
            asked = self.headers.get("Range") if self.takes_ranges else None
            self.ranges.append(asked)
            if self.code != 200:
                self.send_error(self.code)
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if start and start >= len(self.content):
                self.send_error(416)
                return
            body = self.content[start:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)

        def log_message(self, *_):
            pass

    with _served(Handler) as address:
        Handler.url = f"{address}/p.zip"
        yield Handler


@contextmanager
def _served(handler):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=[0.01])  # else half a second
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def _alone(tmp_path, monkeypatch):
    """A folder of its own, and one thread, for processes that are started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def as_process(_alone):
    """Run the program as a process, in a folder of its own, on one thread."""
    return partial(_python, "-m", "sklearn_revdist")


# The program, which a signal stops when so many batches have been embedded.
_STOPPED = """
import os, sys
from sklearn_revdist.embedding import _assembly
from sklearn_revdist.embedding._inference import EmbeddingRun
from sklearn_revdist.cli._main import main

def embed(*arguments, **settings):
    global left
    for batch in complete(*arguments, **settings):
        if left == 0:
            os.kill(os.getpid(), number)
        left -= 1
        yield batch

number, left = int(sys.argv[1]), int(sys.argv[2])
complete, EmbeddingRun.embed = EmbeddingRun.embed, embed
_assembly.FLUSH_SECONDS = 0
main(sys.argv[3:])
"""


@pytest.fixture
def stopped(_alone):
    """Run the program as a process, until it sends itself a signal after so many batches."""
    return partial(_python, "-c", _STOPPED)


@contextmanager
def _limited_files(size):
    resource = pytest.importorskip("resource", reason="sizes of files are limited by POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def limited_files():
    """A context in which no file may grow beyond a size, as on a disk that is full."""
    return _limited_files


@pytest.fixture
def in_process(tmp_path, monkeypatch):
    """Run the program here, where it can be meddled with, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return _in_process


@pytest.fixture(params=["in_process", pytest.param("as_process", marks=pytest.mark.slow)])
def revdist(request):
    """Run the program in a folder of its own: here, and among the slow tests as a process."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def _close_figures():
    """Close all figures that a test has drawn."""
    plt = pytest.importorskip("matplotlib.pyplot")
    yield
    plt.close("all")


@pytest.fixture
def rng():
    """A random generator that starts every test alike."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def embeddings():
    """Draw what models of some widths give the same proteins, side by side."""
    return _embeddings


@pytest.fixture
def X(rng):
    """What models 4, 7 and 12 columns wide give 300 proteins, side by side."""
    return _embeddings(rng)


@pytest.fixture(scope="session")
def state():
    """Everything that a distiller holds, as arrays."""
    return _state
