"""Command `revdist score`: score variants without measurements."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click
import numpy as np

from ..embedding._scorer import KINDS, ESMScorer
from ..sequences._copied_columns import NO_COLUMNS
from ..sequences._records import format_of_records, read_records
from ..sequences._variants import mutants_of, mutate, single_substitutions
from ..tables._files import format_of, writing
from ._chains import chain_of
from ._endings import INPUT, OUTPUT, embedding, failing
from ._layer_options import read_reference
from ._model_options import (
    chain_option,
    device_options,
    max_length_option,
    store_option,
    unknown_option,
)
from ._options import keep_option, output_option, report_options, sequence_column_option
from ._outputs import refuse_clashes, refuse_json, report
from ._paths import STDIO, local_copy, local_output, refuse_input
from ._sequence_inputs import copied_columns, place_in, placing
from ._weights import fetch_weights


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
@sequence_column_option
@keep_option
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
@output_option("A .csv, .csv.gz or .parquet file", default="-")
@store_option("A store (.sqlite) to keep what has been computed in.")
@device_options
@max_length_option("Residues around a position that a model sees; default: all.")
@unknown_option("What to do with ambiguous residues.")
@report_options("about what was done")
def score_command(
    variants,
    reference,
    all_singles,
    mutant_column,
    sequence_column,
    keep,
    first_position,
    kinds,
    models,
    alone,
    output,
    as_json,
    quiet,
    **settings,
):
    """Score VARIANTS by how likely each model of a chain finds them.

    VARIANTS is a table (CSV, TSV, Excel, Parquet) with a column of sequences or of mutants, or a
    FASTA file; or leave it out and give --all-singles. The output has one row for each variant, in
    the order of the input: its name, its mutant where only residues are exchanged, columns of the
    input that --keep names, and one column for each model and kind. A score is a difference of
    log-likelihoods; above zero the variant is more likely than the wild type.

    \b
      revdist score variants.csv --reference wild_type.fasta -m 650M -o scores.csv
      revdist score variants.csv --reference wild_type.fasta --keep fitness -o scores.csv
      revdist score --all-singles --reference wild_type.fasta -m demo
      revdist score mutants.csv --mutant-column mutant --reference wild_type.fasta -m 650M
    """  # noqa: D301
    if bool(variants) == all_singles:
        raise click.UsageError("Give either a file of variants or --all-singles.")
    if mutant_column and sequence_column:
        raise click.UsageError("Give either --mutant-column or --sequence-column.")
    if keep and all_singles:
        raise click.UsageError("--keep copies columns of a table, and --all-singles reads none.")
    if output != STDIO and not output.name.endswith((".csv", ".csv.gz", ".parquet")):
        raise click.UsageError(
            f"{str(output)!r} ends in none of .csv, .csv.gz and .parquet; choose one."
        )
    refuse_json(output, "scores", as_json)
    refuse_input(output, variants)
    output_format = "csv" if output == STDIO else format_of(output)
    scorer = ESMScorer(
        chain_of(models, alone=alone, families=False),
        kinds=list(kinds),
        reference=reference,
        verbose=not quiet,
        **settings,
    )
    columns = list(scorer.get_feature_names_out())
    copied, place = NO_COLUMNS, None
    with local_copy(variants) if variants else nullcontext() as path, failing(INPUT):
        if all_singles:
            names = mutants = single_substitutions(reference, first_position=first_position)
        else:
            column = mutant_column or sequence_column
            found = format_of_records(path, None, column)
            own = ["mutant"] if mutant_column == "mutant" else []
            copied = copied_columns(path, found, keep, column, own=own)
            refuse_clashes(copied.types, ["name", "mutant", *columns])
            names, mutants = zip(*read_records(path, found, sequence_column=column), strict=True)
            place = partial(place_in, path, found, sequence_column=column)
        kept = copied.reader()(len(names))
        with placing(place) if place else nullcontext():
            if all_singles or mutant_column:
                sequences = mutate(reference, list(mutants), first_position=first_position)
            else:
                sequences, mutants = mutants, _named(reference, mutants, first_position)
            scorer.fit(list(sequences))
    embedder = scorer._embedder()
    fetch_weights(embedder, quiet=quiet)
    with embedding():
        scores = scorer.transform(list(sequences))
    if output_format == "csv":
        scores = np.vectorize(lambda score: float(f"{score:.6g}"))(scores)
    named = {"name": names, "mutant": mutants}
    labels = {**{key: np.array(label, dtype=object) for key, label in named.items()}, **kept}
    with (
        local_output(output) as target,
        failing(OUTPUT),
        writing(target, columns, output_format, types=copied.types) as write,
    ):
        write(labels, scores)
    done = {"n_variants": len(scores), "columns": columns}
    names = [entry.name for entry in embedder._entries()]
    where = "" if output == STDIO else f"{output}: "
    line = f"{len(scores)} variants scored by {' and '.join(kinds)} of {' + '.join(names)}"
    report(output, done, f"{where}{line}", as_json)


def _named(reference, sequences, first_position):
    """Mutants where the lengths are equal; empty elsewhere."""
    n_residues = len(reference.strip())
    return [
        mutants_of(reference, [sequence], first_position=first_position)[0]
        if len(sequence.strip()) == n_residues
        else ""
        for sequence in sequences
    ]
