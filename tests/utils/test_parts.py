"""Parts of work: numbered, under a fingerprint, each there when it is complete."""

import numpy as np
import pytest

from sklearn_revdist.utils._parts import Parts


def test_parts_are_written_listed_read_and_removed(tmp_path):
    parts = Parts(tmp_path / "parts", "ab")
    assert parts.numbers() == []
    arrays = {"a": np.arange(3), "b": np.eye(2, order="F"), "c": 1.5}
    for number in (2, 0, 1_000_000):
        parts.write(number, **arrays)
    Parts(parts.folder, "cd").write(1, a=0)
    assert parts.numbers() == [0, 2, 1_000_000]
    found = parts.read(2)
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
    parts.remove([0, 7])
    assert parts.numbers() == [2, 1_000_000]
    assert Parts(parts.folder, "cd").numbers() == [1]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04" * 99, b"something else", "cut"])
def test_a_part_that_is_missing_or_damaged_is_none(tmp_path, content):
    parts = Parts(tmp_path, "ab")
    if content == "cut":
        parts.write(0, a=np.arange(99))
        content = parts.path(0).read_bytes()[:-100]
    if content is not None:
        parts.path(0).write_bytes(content)
    assert parts.read(0) is None


def test_what_a_part_would_execute_is_not_executed(tmp_path):
    np.savez(Parts(tmp_path, "ab").path(0), a=np.array([{}], dtype=object))
    assert Parts(tmp_path, "ab").read(0) is None


def test_partial_files_of_parts_are_removed(tmp_path):
    for name in ("part-000007-0.parquet.ab12.partial", "notes.partial"):
        (tmp_path / name).touch()
    Parts(tmp_path, "ab", ".parquet").remove_partial()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.partial"]
