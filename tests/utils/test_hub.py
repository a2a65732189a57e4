"""Published weights from a cache in the layout of huggingface_hub, without a network."""

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist import NaiveChain, ReverseDistiller
from sklearn_revdist.utils._hub import check_fetched, fetch, fetch_main

PUBLISHED = Path(__file__).parents[1] / "published"
REPOSITORY = "owner/weights"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = COMMIT[::-1]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """What has been fetched of the repository: the weights, and that there are no larger ones."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--owner--weights"
    weights = repository / "snapshots" / COMMIT / "weights"
    weights.mkdir(parents=True)
    for path in PUBLISHED.glob("*-1k.npz"):
        shutil.copy(path, weights)
    missing = repository / ".no_exist" / COMMIT / "weights"
    missing.mkdir(parents=True)
    for path in PUBLISHED.glob("*-35M-150M-*.npz"):
        (missing / path.name.replace("35M-150M", "150M-650M")).touch()
    return repository


def read(kind=ReverseDistiller, name=REPOSITORY, variant="pcr-fbpca-1k", revision=COMMIT):
    return kind.from_pretrained(name, variant=variant, revision=revision)


@pytest.mark.parametrize("variant", ["pcr-fbpca-1k", "linear-incremental-1k"])
def test_what_is_in_the_cache_needs_no_network(cache, variant):
    with np.load(PUBLISHED / "expected.npz") as expected:
        nested = read(variant=variant).transform(expected["X"].astype(np.float64))
        np.testing.assert_allclose(nested, expected[variant], rtol=0, atol=5e-5)


def test_naive_files_are_read_from_the_same_place(cache):
    variant = "None-fbpca-1k"
    local = NaiveChain.from_pretrained(PUBLISHED, variant=variant)
    np.testing.assert_array_equal(read(NaiveChain, variant=variant).components_, local.components_)


NO_REVISION = r"no file or folder 'owner/weights'.* as `revision`"
NO_VARIANT = "does not name files of 'owner/weights' to fetch"
NO_NAME = "neither a folder of them nor a repository on the hub"
MOVES = "may refer to other weights later; give the 40 hexadec"
UNFETCHED = rf"commit {OTHER_COMMIT} failed .* network fetch"


@pytest.mark.parametrize(
    ("parameter", "values", "error", "message"),
    [
        ("revision", ["main", "v1", COMMIT[:7], "A" * 40, COMMIT + "0"], ValueError, MOVES),
        ("revision", [None], FileNotFoundError, NO_REVISION),
        ("revision", [OTHER_COMMIT], FileNotFoundError, UNFETCHED),
        (
            "variant",
            [None, "", "../../pcr-fbpca-1k", "pcr-fbpca-1k/..", "pcr"],
            ValueError,
            NO_VARIANT,
        ),
        (
            "name",
            ["../weights", "owner/../weights", "https://a/b", "owner/we ights"],
            ValueError,
            NO_NAME,
        ),
    ],
)
def test_what_does_not_name_fetched_files_is_refused(cache, parameter, values, error, message):
    for value in values:
        with pytest.raises(error, match=message):
            read(**{parameter: value})


def test_a_chain_that_ends_is_not_one_that_broke_off(cache):
    """Whether there is a next step must be known, from the cache or from the network."""
    shutil.rmtree(cache / ".no_exist")
    with pytest.raises(FileNotFoundError, match=r"150M-650M-pcr-fbpca-1k\.npz' of"):
        read()


def test_a_file_that_the_repository_lacks_is_the_end_also_where_the_network_says_so(
    cache, monkeypatch
):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    expected, asked = read().components_, []

    def download(repository, filename, revision):
        asked.append((repository, filename, revision))
        raise EntryNotFoundError("404")

    shutil.rmtree(cache / ".no_exist")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    np.testing.assert_array_equal(read().components_, expected)
    assert asked == [(REPOSITORY, "weights/rd-scaler-150M-650M-pcr-fbpca-1k.npz", COMMIT)]


def test_where_all_files_are_there_their_folder_is_given(cache):
    names = ("8M-35M", "35M-150M")
    filenames = [f"weights/rd-scaler-{name}-pcr-fbpca-1k.npz" for name in names]
    assert fetch(REPOSITORY, COMMIT, filenames) == cache / "snapshots" / COMMIT / "weights"


def test_a_variant_that_the_repository_does_not_have_is_an_error(cache):
    missing = cache / ".no_exist" / COMMIT / "weights" / "rd-scaler-8M-35M-pcr-fbpca-5k.npz"
    missing.touch()
    with pytest.raises(FileNotFoundError, match=r"has no file 'weights/rd-scaler-8M.*5k\.npz' at"):
        read(variant="pcr-fbpca-5k")


def test_a_folder_of_that_name_comes_first(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(PUBLISHED, tmp_path / REPOSITORY)
    with pytest.raises(ValueError, match="exists here and takes precedence; leave `revision` out"):
        read()
    assert read(revision=None).dims_.tolist() == [8, 12, 20]


def test_a_damaged_file_in_the_cache_is_refused(cache):
    path = cache / "snapshots" / COMMIT / "weights" / "rd-scaler-8M-35M-pcr-fbpca-1k.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="cannot be read as published weights"):
        read()


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-revdist\[hub\]"'):
        read()


@pytest.fixture
def main(cache):
    """The folder of the revision main, of which the cache has the weights."""
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    return cache / "snapshots" / COMMIT


def test_a_complete_folder_of_main_needs_no_network(main):
    assert fetch_main(REPOSITORY, lambda folder: (folder / "weights").is_dir(), [["*"]]) == main


def test_files_are_downloaded_choice_after_choice_until_all_are_there(main, monkeypatch):
    asked = []

    def download(repository, **how):
        if not how.get("local_files_only"):
            asked.append((how["allow_patterns"], how["ignore_patterns"]))
            (main / how["allow_patterns"][0]).touch()
        return str(main)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    choices = [["a", "b"], ["c"], ["d"]]
    assert fetch_main(REPOSITORY, lambda folder: (folder / "c").exists(), choices) == main
    assert asked == [(["a", "b"], "*/*"), (["c"], "*/*")]
    with pytest.raises(
        FileNotFoundError, match=r"^Neither Hugging Face nor its cache has a config"
    ):
        fetch_main(REPOSITORY, lambda folder: False, choices)


def test_what_cannot_be_downloaded_says_so(main):
    message = r"^Fetching 'owner/others' from Hugging Face failed \(\w+: .*\); correct the name, or"
    with pytest.raises(FileNotFoundError, match=message):
        fetch_main("owner/others", lambda folder: False, [["*"]])


CONTENT = b"weights of a model"
NAMES = {
    "large": hashlib.sha256(CONTENT).hexdigest(),
    "small": hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest(),  # as git has it
}


@pytest.fixture(params=["cache", "cache of all repositories", "folder"])
def fetched(request, tmp_path):
    """Put a file where huggingface_hub puts it, under a name on the hub."""

    def put(name):
        if request.param == "folder":
            path = tmp_path / "file"
            path.write_bytes(CONTENT)
            record = tmp_path / ".cache" / "huggingface" / "download" / "file.metadata"
            record.parent.mkdir(parents=True)
            record.write_text(f"{COMMIT}\n{name}\n{time.time()}\n")
            return path
        path = tmp_path / "snapshots" / COMMIT / "file"
        blob = tmp_path / "blobs" / name
        for parent in (path.parent, blob.parent):
            parent.mkdir(parents=True)
        path.symlink_to(os.path.relpath(blob, path.parent))
        if request.param == "cache":
            blob.write_bytes(CONTENT)
        else:
            (tmp_path / "shared").write_bytes(CONTENT)
            blob.symlink_to("../shared")
        return path

    return put


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_what_is_not_as_it_was_fetched_is_refused(fetched, name):
    path = fetched(name)
    check_fetched(path)
    path.write_bytes(CONTENT.replace(b"w", b"W"))
    with pytest.raises(ValueError, match=rf"file' is damaged: its hash is not {name}, .* fetch"):
        check_fetched(path)


def test_of_other_names_nothing_is_known(fetched):
    check_fetched(fetched("a" * 39))


def test_a_file_that_was_changed_after_it_was_fetched_is_its_owners(fetched):
    path = fetched(NAMES["large"])
    path.write_bytes(b"trained further")
    os.utime(path, (time.time() + 60,) * 2)
    if path.is_symlink():  # the cache is nobody's to change
        with pytest.raises(ValueError, match="is damaged"):
            check_fetched(path)
    else:
        check_fetched(path)


@pytest.mark.parametrize("record", [None, b"", b"a b c d", b"a b yesterday", b"\xff \xff 1"])
def test_without_a_readable_record_nothing_is_known(tmp_path, record):
    (tmp_path / "file").write_bytes(CONTENT)
    if record is not None:
        folder = tmp_path / ".cache" / "huggingface" / "download"
        folder.mkdir(parents=True)
        (folder / "file.metadata").write_bytes(record)
    check_fetched(tmp_path / "file")


def test_a_link_to_elsewhere_is_not_a_file_of_the_cache(tmp_path):
    (tmp_path / NAMES["large"]).write_bytes(b"other")
    (tmp_path / "file").symlink_to(NAMES["large"])
    check_fetched(tmp_path / "file")
