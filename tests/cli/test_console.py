"""How commands end: one sentence, a code that means something, signals included."""

import io
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from contextlib import nullcontext
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sklearn_revdist.cli import _console
from sklearn_revdist.cli._console import (
    EXIT_CODES,
    INPUT,
    INTERRUPTED,
    MISSING,
    OUTPUT,
    STDIO,
    TERMINATED,
    Commands,
    as_usage,
    embedding,
    failing,
    file_only,
    folder_only,
    local_copy,
    local_output,
    note,
    progress,
    readable,
    refuse_input,
    say,
    store_only,
    writable,
)
from sklearn_revdist.utils import _progress


def run(function, *arguments, **keywords):
    """Run a function as a command of a program."""

    @click.group(cls=Commands)
    def program():
        pass

    program.command("command")(function)
    return CliRunner().invoke(program, ["command", *arguments], **keywords)


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
def test_an_error_ends_in_its_sentence_and_its_code(context, error, code):
    result = run(raising(error, context))
    assert result.exit_code == code
    assert result.stderr == f"Error: {error}\n"
    assert result.stdout == ""


def test_every_code_is_explained():
    explained = {int(code) for code in re.findall(r"^  (\d+) ", EXIT_CODES, flags=re.M)}
    assert explained == {0, 1, 2, INPUT, OUTPUT, MISSING, INTERRUPTED, TERMINATED}


def test_a_shell_completes_commands_that_are_imported_when_they_run():
    program = Commands("program", lines={"models": "List the models.", "demo": "Try it."})
    program.add_command(click.Command("more"))
    context = click.Context(program)
    completed = [item.value for item in program.shell_complete(context, "")]
    assert completed[:3] == ["models", "demo", "more"]
    assert [item.value for item in program.shell_complete(context, "mo")] == ["models", "more"]


def test_a_defect_is_not_hidden():
    error = ZeroDivisionError("a defect")
    assert run(raising(error, failing(INPUT))).exception is error


def test_wrong_values_are_errors_of_usage():
    result = run(lambda: as_usage(int, "many"))
    assert result.exit_code == 2
    assert "invalid literal" in result.stderr
    assert as_usage(int, "7") == 7


def test_ctrl_c_has_its_code():
    result = run(raising(KeyboardInterrupt()))
    assert (result.exit_code, result.stderr) == (
        INTERRUPTED,
        "Interrupted; run the same command to go on.\n",
    )


@pytest.mark.skipif(os.name != "posix", reason="processes are stopped by signals")
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, INTERRUPTED, "Interrupted"), (signal.SIGTERM, TERMINATED, "Terminated")],
)
def test_a_stopped_process_cleans_up_and_says_its_code(number, code, words):
    script = textwrap.dedent("""
        import time
        import click
        from sklearn_revdist.cli._console import Commands

        @click.group(cls=Commands)
        def program():
            pass

        @program.command()
        def wait():
            try:
                print("begun", flush=True)
                time.sleep(60)
            finally:
                print("cleaned up", flush=True)

        program()
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script, "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out) == (code, "cleaned up\n")
    assert err == f"{words}; run the same command to go on.\n"


def test_the_handler_of_signals_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    run(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_warnings_are_one_line_on_standard_error():
    def command():
        warnings.simplefilter("always")
        warnings.warn("It is doubtful.", UserWarning, stacklevel=1)
        say("Done.")
        click.echo("result")

    result = run(command)
    assert result.stderr == "Warning: It is doubtful.\nDone.\n"
    assert result.stdout == "result\n"


def test_progress_is_on_standard_error_unless_it_is_to_be_quiet(capfd, monkeypatch):
    monkeypatch.setattr(_progress, "_QUICK", 0)
    for quiet in (False, True):
        with progress(3, quiet) as bar:
            bar.update(3)
        out, err = capfd.readouterr()
        assert out == ""
        assert ("100 % of 3 rows" in err) is not quiet


def test_standard_input_can_be_read_twice():
    def command():
        with local_copy(STDIO) as path:
            assert path.read_bytes() == path.read_bytes() == b">a\nMKT\n"
        assert not path.exists()

    assert run(command, input=b">a\nMKT\n").exit_code == 0


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "x.csv"])
def test_an_error_about_a_copy_names_what_was_copied(tmp_path, name, monkeypatch):
    said = "Standard input" if name != "x.csv" else repr(str(tmp_path / name))
    path = Path(name) if name != "x.csv" else tmp_path / name
    if name == "x.csv":
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=(b"MKT",))
        writer.start()
    elif name == "/dev/stdin":
        monkeypatch.setattr(Path, "is_file", lambda path: False)
        monkeypatch.setattr(_console, "_stream", lambda path: nullcontext(io.BytesIO(b"MKT")))

    def command():
        with local_copy(path) as copy, failing(INPUT):
            assert copy.read_bytes() == b"MKT"
            assert copy.suffix == path.suffix
            raise ValueError(f"{str(copy)!r} is damaged.")

    result = run(command, input=b"MKT")
    assert (result.exit_code, result.stderr) == (INPUT, f"Error: {said} is damaged.\n")


def test_a_path_is_its_own_copy(tmp_path):
    with local_copy(tmp_path / "x") as path, local_output(tmp_path / "y") as target:
        assert (path, target) == (tmp_path / "x", tmp_path / "y")


def test_standard_output_gets_all_or_nothing():
    def command(fail):
        with local_output(STDIO) as path:
            path.write_bytes(b"\x00\xff")
            if fail:
                raise click.ClickException("It failed.")

    assert run(lambda: command(fail=False)).stdout_bytes == b"\x00\xff"
    assert run(lambda: command(fail=True)).stdout_bytes == b""


def test_outputs_that_cannot_be_written_are_refused_before_the_work(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for path, message in [
        (tmp_path / "nowhere" / "x", "There is no folder"),
        (tmp_path, "is a folder; name a file"),
        (tmp_path / "pipe", "is not a file; use - for standard output"),
    ]:
        with pytest.raises(click.ClickException, match=message) as caught:
            writable(None, None, path)
        assert caught.value.exit_code == OUTPUT
    assert writable(None, None, STDIO) == STDIO
    assert writable(None, None, tmp_path / "x") == tmp_path / "x"
    (tmp_path / "old").touch(0o444)
    with pytest.raises(click.ClickException, match="old' is read-only; choose another") as caught:
        writable(None, None, tmp_path / "old")
    assert caught.value.exit_code == OUTPUT
    (tmp_path / "old").chmod(0o644)
    assert writable(None, None, tmp_path / "old") == tmp_path / "old"
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(click.ClickException, match="is not writable; choose another"):
        writable(None, None, tmp_path / "x")


def test_folders_files_and_stores_are_checked_before_the_work(tmp_path, monkeypatch):
    file = tmp_path / "x"
    file.write_text("text")
    (tmp_path / "s.sqlite").write_bytes(b"SQLite format 3\0 and more")
    for path in (None, tmp_path, tmp_path / "new" / "folder"):
        assert folder_only(None, None, path) == path
    for path in (None, tmp_path / "s.sqlite", tmp_path / "new.sqlite"):
        assert store_only(None, None, path) == path
    for check, path, message in [
        (folder_only, file, "x' is a file; name a folder"),
        (folder_only, file / "in", "x' is a file; name a folder"),
        (store_only, file, "x' is not a SQLite file; choose another"),
        (store_only, tmp_path, "is a folder; name a file"),
        (file_only, tmp_path / "no" / "x", "There is no folder"),
    ]:
        with pytest.raises(click.ClickException, match=message) as caught:
            check(None, None, path)
        assert caught.value.exit_code == OUTPUT
    with pytest.raises(click.BadParameter, match="'-' is standard output"):
        file_only(None, None, STDIO)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(click.ClickException, match="is not writable; choose another"):
        folder_only(None, None, tmp_path / "new")


def test_what_is_read_is_not_written_over(tmp_path):
    file = tmp_path / "x"
    file.touch()
    (tmp_path / "link").symlink_to(file)
    refuse_input(tmp_path / "new", file)
    refuse_input(STDIO, file)
    refuse_input(file, None, tmp_path / "new")
    for path in (file, tmp_path / "link"):
        with pytest.raises(click.UsageError, match=r"is read, .*; name another file \(-o\)"):
            refuse_input(path, tmp_path / "new", file)


def test_a_note_is_silenced_and_a_warning_is_not():
    for flags, expected in (([], "Done with 8M.\n"), (["-q"], "")):

        @click.option("-q", "--quiet", is_flag=True)
        def command(quiet):
            note("Done with esm2_t6_8M_UR50D.")
            say("Warning: It is doubtful.")

        assert run(command, *flags).stderr == f"{expected}Warning: It is doubtful.\n"


def test_inputs_that_cannot_be_read_are_refused_before_the_work(tmp_path, monkeypatch):
    there = tmp_path / "x"
    there.touch()
    for value in (None, (), there, (there, tmp_path)):
        assert readable(None, None, value) == value
    for value in (tmp_path / "none", (there, tmp_path / "none")):
        with pytest.raises(click.ClickException, match=r"no file or folder .*none'") as caught:
            readable(None, None, value)
        assert caught.value.exit_code == INPUT
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read anything
    with pytest.raises(click.ClickException, match="x' may not be read by this user") as caught:
        readable(None, None, there)
    assert caught.value.exit_code == INPUT
