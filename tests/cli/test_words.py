"""Messages of Python in the words of the command line."""

import click
import pytest
from click.testing import CliRunner

from sklearn_revdist.cli._options import sequence_options
from sklearn_revdist.cli._words import in_words, short_names


def translated(message):
    """A message as the command that embeds says it."""

    @click.command()
    @click.option("-n", "--n-components")
    @click.option("-m", "--model", "models")
    @click.option("--kind", "kinds")
    @sequence_options
    def command(**_):
        click.echo(in_words(message), nl=False)

    return CliRunner().invoke(command, []).stdout


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("device='cuda' cannot be used", "--device cuda cannot be used"),
        ("set device='cpu', or device=None to", "set --device cpu, or no --device to"),
        ("layer=9 is not a layer", "--layer 9 is not a layer"),
        ("layer=[1, 2] has 2 entries", "--layer 1,2 has 2 entries"),
        ("chain[0]='x' is neither", "-m x is neither"),
        ("kinds=['a', 'b'] compare", "--kind a,b compare"),
        ("n_components=7 is", "-n 7 is"),
        ("exceed max_length=5 residues", "exceed --max-length 5 residues"),
        ("raise max_length or set long='window'.", "raise --max-length or set --long window."),
        ("choose another `unknown`.", "choose another --unknown."),
        ("chain[0] and chain[1] are both named 'x'", "Two -m are both named 'x'"),
        ("pooling[0] and pooling[1] are the same", "Two --pooling are the same"),
        ("correct the path in chain.", "correct the path (-m)."),
        ("check it (`max_length`), or `n_new`.", "check it (--max-length), or `n_new`."),
        ("check it (`n_new`) and this (`noise`).", "check it and this."),
        ("the layer of a reference", "the layer of a reference"),
        ("no column 'max_length' here", "no column 'max_length' here"),
        ("what this command lacks: n_new=3", "what this command lacks: n_new=3"),
    ],
)
def test_parameters_are_flags_of_the_command_that_runs(message, said):
    assert translated(message) == said


def test_without_a_command_messages_stay_those_of_python():
    assert in_words("device='cuda' cannot be used") == "device='cuda' cannot be used"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("of esm2_t33_650M_UR50D.", "of 650M."),
        ("'esm2_t3_100K_demo' and esm2_t4_500K_demo", "'demo-48' and demo-96"),
        ("by esm2_t6_8M_UR50D_layer3_max", "by 8M layer 3 max"),
        ("by esm2_t6_8M_UR50D_layer-2, say", "by 8M layer -2, say"),
        *(
            2 * (text,)
            for text in (
                "esm2_t6_8M_UR50D.pt",
                "/cache/esm2_t6_8M_UR50D",
                "esm2_t6_8M_UR50D_0 and esm2_t6_8M_UR50D_layer3_17",
                "my_esm2_t6_8M_UR50D",
                "esm2_t6_8M_UR50D_nested.parquet",
                "https://x.org/esm2_t6_8M_UR50D.pt failed",
            )
        ),
    ],
)
def test_models_have_short_names_but_files_and_columns_do_not(text, said):
    assert short_names(text) == said
