"""How commands end: one sentence, and a code that means something."""

import re

import pytest

from sklearn_revdist.cli._endings import (
    EXIT_CODES,
    INPUT,
    INTERRUPTED,
    MISSING,
    OUTPUT,
    TERMINATED,
    as_usage,
    embedding,
    failing,
)


def raising(error, context=None):
    def command():
        if context is None:
            raise error
        with context:
            raise error

    return command


@pytest.mark.parametrize(
    ("context", "error", "code"),
    [
        (failing(INPUT), FileNotFoundError("There is no file."), INPUT),
        (failing(INPUT), ValueError("It is damaged."), INPUT),
        (failing(OUTPUT), OSError(28, "No space left on device"), OUTPUT),
        (failing(OUTPUT), ImportError("It needs h5py."), MISSING),
        (embedding(), FileNotFoundError("No weights."), MISSING),
        (embedding(), OSError("The store cannot be written."), OUTPUT),
        (embedding(), TimeoutError("The store is in use."), OUTPUT),
        (embedding(), ValueError("Record 3 is empty."), INPUT),
        (embedding(), MemoryError("A sequence does not fit."), 1),
    ],
)
def test_an_error_ends_in_its_sentence_and_its_code(run, context, error, code):
    result = run(raising(error, context))
    assert result.exit_code == code
    assert result.stderr == f"Error: {error}\n"
    assert result.stdout == ""


def test_every_code_is_explained():
    explained = {int(code) for code in re.findall(r"^  (\d+) ", EXIT_CODES, flags=re.M)}
    assert explained == {0, 1, 2, INPUT, OUTPUT, MISSING, INTERRUPTED, TERMINATED}


def test_a_defect_is_not_hidden(run):
    error = ZeroDivisionError("a defect")
    assert run(raising(error, failing(INPUT))).exception is error


def test_wrong_values_are_errors_of_usage(run):
    result = run(lambda: as_usage(int, "many"))
    assert result.exit_code == 2
    assert "invalid literal" in result.stderr
    assert as_usage(int, "7") == 7
