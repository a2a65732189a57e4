"""What commands write to the console, how they are found, and how signals stop them."""

import os
import signal
import subprocess
import sys
import textwrap
import warnings

import click
import pytest

from sklearn_revdist.cli._console import Commands, note, progress, say
from sklearn_revdist.cli._endings import INTERRUPTED, TERMINATED
from sklearn_revdist.utils import _progress


def test_a_shell_completes_commands_that_are_imported_when_they_run():
    program = Commands("program", lines={"models": "List the models.", "demo": "Try it."})
    program.add_command(click.Command("more"))
    context = click.Context(program)
    completed = [item.value for item in program.shell_complete(context, "")]
    assert completed[:3] == ["models", "demo", "more"]
    assert [item.value for item in program.shell_complete(context, "mo")] == ["models", "more"]


def test_ctrl_c_has_its_code(run):
    def command():
        raise KeyboardInterrupt

    result = run(command)
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


def test_the_handler_of_signals_is_put_back(run):
    before = signal.getsignal(signal.SIGTERM)
    run(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_warnings_are_one_line_on_standard_error(run):
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


def test_a_note_is_silenced_and_a_warning_is_not(run):
    for flags, expected in (([], "Done with 8M.\n"), (["-q"], "")):

        @click.option("-q", "--quiet", is_flag=True)
        def command(quiet):
            note("Done with esm2_t6_8M_UR50D.")
            say("Warning: It is doubtful.")

        assert run(command, *flags).stderr == f"{expected}Warning: It is doubtful.\n"
