"""The command `revdist download`."""

from sklearn_revdist.embedding import _checkpoints
from sklearn_revdist.utils._models import DEMO, ESM2

FILE = f"{ESM2[0].name}.pt"


def test_what_is_missing_is_announced_and_downloaded_and_what_is_there_is_not(
    in_process, served, hub
):
    ended = in_process("download", "-m", "8m")
    assert ended.code == 0, ended.err
    assert ended.err.splitlines() == [
        f"1 file, about 30 MB in all, from {_checkpoints.DOWNLOAD_ADDRESS} to {str(hub)!r}:",
        f"  {FILE} (8M), about 30 MB",
    ]
    assert ended.text.split() == ["8M", "30", "MB", "downloaded", str(hub / FILE)]
    assert (hub / FILE).read_bytes() == served.read_bytes()
    served.unlink()
    again = in_process("download", "-m", "8M")
    assert (again.code, again.err) == (0, "")
    assert again.text.split()[3:5] == ["already", "here"]


def test_a_dry_run_only_says_what_it_would_do(in_process, hub):
    ended = in_process("download", "-m", "35M", "--dry-run", "--json")
    assert ended.code == 0, ended.err
    assert ended.err.startswith("2 files, about 160 MB in all, from ")
    assert [(row["model"], row["status"]) for row in ended.json["models"]] == [
        ("8M", "missing"),
        ("35M", "missing"),
    ]
    assert not hub.exists()


def test_bundled_models_are_there_and_others_are_not_downloaded(in_process, tmp_path, tiny):
    ended = in_process("download", "-m", "demo")
    assert [line.split()[0] for line in ended.text.splitlines()] == [m.short for m in DEMO]
    for model in (tiny, "hf:a/b"):
        assert in_process("download", "-m", model).code == 2
