"""Command `revdist score`: score variants without measurements."""

from pathlib import Path

import click
import pandas as pd

from ..embedding._scorer import KINDS, ESMScorer
from ..sequences._records import read_records
from ..sequences._variants import mutants_of, mutate, single_substitutions
from ..utils._files import replaced
from ._console import INPUT, OUTPUT, STDIO, embedding, failing, writable
from ._layer_options import read_reference
from ._options import chain_option, device_option, quiet_option, unknown_option
from ._sequence_inputs import chain_of


@click.command()
@click.argument("variants", type=click.Path(path_type=Path), required=False)
@click.option(
    "--reference",
    required=True,
    callback=read_reference,
    help="The wild type, as a sequence or a FASTA file.",
)
@click.option("--all-singles", is_flag=True, help="Score all single substitutions.")
@click.option(
    "--mutant-column",
    help="Column of a table that holds mutants, such as A24G:L30K; default: sequences are read.",
)
@click.option(
    "--sequence-column", help='Column of a table that holds sequences; default: "sequence".'
)
@click.option("--first-position", default=1, help="Number of the first residue in mutants.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    default=KINDS[:1],
    help="Kind of the score; may be given several times.",
)
@chain_option(families=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    default="-",
    callback=writable,
    help="A .csv or .parquet file, or - for standard output.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A store (.sqlite) to keep what has been computed in.",
)
@device_option
@click.option(
    "--max-length",
    type=click.IntRange(min=1),
    help="Residues around a position that a model sees; default: all.",
)
@unknown_option("What to do with ambiguous residues.")
@quiet_option
def score_command(
    variants,
    reference,
    all_singles,
    mutant_column,
    sequence_column,
    first_position,
    kinds,
    models,
    alone,
    output,
    quiet,
    **settings,
):
    """Score VARIANTS by how likely each model of a chain finds them.

    VARIANTS is a table (CSV, TSV, Excel, Parquet) with a column of sequences or of mutants, or a
    FASTA file; or leave it out and give --all-singles. The output has one row for each variant, in
    the order of the input: its name, its mutant where only residues are exchanged, and one column
    for each model and kind. A score is a difference of log-likelihoods; above zero the variant is
    more likely than the wild type.

    \b
      revdist score variants.csv --reference wild_type.fasta -m 650M -o scores.csv
      revdist score --all-singles --reference wild_type.fasta -m demo
      revdist score mutants.csv --mutant-column mutant --reference wild_type.fasta -m 650M
    """  # noqa: D301
    if bool(variants) == all_singles:
        raise click.UsageError("Give either a file of variants or --all-singles.")
    if mutant_column and sequence_column:
        raise click.UsageError("Give either --mutant-column or --sequence-column.")
    if output != STDIO and output.suffix not in (".csv", ".parquet"):
        raise click.UsageError(f"{str(output)!r} ends in neither .csv nor .parquet; choose one.")
    scorer = ESMScorer(
        chain_of(models, alone=alone, families=False),
        kinds=list(kinds),
        reference=reference,
        verbose=not quiet,
        **settings,
    )
    with failing(INPUT):
        if all_singles:
            names = mutants = single_substitutions(reference, first_position=first_position)
        else:
            column = mutant_column or sequence_column
            names, mutants = zip(*read_records(variants, sequence_column=column), strict=True)
        if all_singles or mutant_column:
            sequences = mutate(reference, list(mutants), first_position=first_position)
        else:
            sequences, mutants = mutants, _named(reference, mutants, first_position)
        scorer.fit(list(sequences))
    with embedding():
        scores = scorer.transform(list(sequences))
    table = pd.DataFrame(scores, columns=scorer.get_feature_names_out())
    table.insert(0, "name", list(names))
    table.insert(1, "mutant", list(mutants))
    with failing(OUTPUT):
        if output == STDIO:
            click.echo(table.to_csv(index=False, float_format="%.6g"), nl=False)
            return
        with replaced(output) as path:
            if output.suffix == ".csv":
                table.to_csv(path, index=False, float_format="%.6g")
            else:
                table.to_parquet(path, index=False)
    click.echo(f"{output}: {len(table)} scores of {', '.join(table.columns[2:])}")


def _named(reference, sequences, first_position):
    """Mutants where the lengths are equal; empty elsewhere."""
    n_residues = len(reference.strip())
    return [
        mutants_of(reference, [sequence], first_position=first_position)[0]
        if len(sequence.strip()) == n_residues
        else ""
        for sequence in sequences
    ]
