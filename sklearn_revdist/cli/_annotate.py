"""Command `revdist annotate`: labels of the nearest sequences of a database, with a reliability."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ..neighbors._transfer_classifier import AnnotationTransferClassifier
from ..sequences._copied_columns import NO_COLUMNS, CopiedColumns
from ..sequences._records import read_records
from ._annotations import TYPES, VOTE_TYPES, Labelled
from ._comparison import reading_alike
from ._console import note, progress
from ._embedding_inputs import holds_sequences, is_text
from ._endings import INPUT, OUTPUT, failing
from ._frames import list_path, writing_frames
from ._labels import Find, Labels, labels_of_columns, labels_of_headers, labels_of_table
from ._option_groups import gathered
from ._options import keep_option, name_column_option, report_options, sequence_options
from ._outputs import finishing, refuse_clashes, refuse_json, report
from ._paths import STDIO, checked_path, local_copy, readable, refuse_input
from ._queries import asking, comparison_options, list_option, two_files
from ._sequence_inputs import Records

_LABELLING = ("labels", "label_name_column", "label_column", "label_from_header", "group_column")
# Reliabilities above this are counted.
_RELIABLE = 0.9


@click.command()
@two_files
@click.option(
    "--labels",
    **checked_path(readable),
    help="A table (CSV, TSV, Excel, Parquet) with names of sequences of DATABASE, and their "
    "labels.",
)
@click.option(
    "--label-name-column",
    help='Column of --labels that holds names; default: "name", or else the first one.',
)
@click.option(
    "--label-column",
    help='Column of the labels in --labels (default: "label"), or in DATABASE.',
)
@click.option(
    "--label-from-header",
    metavar="KEY",
    help="Take labels from the names of DATABASE, after this key, such as OS= or GN=.",
)
@click.option(
    "--group-column",
    help="Column beside the labels that holds groups, such as families; the reliability then holds "
    "for queries of other groups.",
)
@click.option(
    "-k",
    "n_neighbors",
    default=16,
    type=click.IntRange(min=1),
    help="Number of neighbours that vote; fewer where there are fewer sequences.",
)
@list_option
@click.option(
    "--neighbors",
    **checked_path(list_path),
    help="A .tsv, .csv or .parquet file for the neighbours that labels are taken from.",
)
@comparison_options
@click.option(
    "--max-distance", type=click.FloatRange(min=0), help="Neighbours that are farther do not vote."
)
@click.option(
    "--outlier-label",
    metavar="TEXT",
    help="Label where no neighbour is within --max-distance; default: empty.",
)
@click.option(
    "--min-reliability",
    type=click.FloatRange(min=0, max=1),
    help="Leave labels empty that are less reliable.",
)
@keep_option
@name_column_option("QUERIES")
@sequence_options
@report_options("about what was done")
@gathered(labelling=_LABELLING)
@asking
def annotate_command(
    database,
    queries,
    labelling,
    n_neighbors,
    output,
    neighbors,
    asked,
    metric,
    max_distance,
    outlier_label,
    min_reliability,
    as_json,
    quiet,
    reading,
):
    """Transfer labels from the nearest sequences of DATABASE to QUERIES.

    DATABASE and QUERIES are what they are for `revdist search`, and are compared as there. Labels,
    which are text, come from a table with names of the database's sequences (--labels), from a
    column of DATABASE, if that is a table (--label-column alone), or from its headers
    (--label-from-header). In the table, a sequence is called by its name, the first word of that,
    or UniProt's accession in it. Sequences without a label, or with NA and the like, are left out
    and counted.

    The nearest sequences vote, nearer ones with more weight. The reliability is the probability
    that the label is right. It is calibrated on sequences of the database, each annotated by those
    that are not identical nor of its group (--group-column), so it holds for queries that are as
    far from the database.

    The output has a line for each query: query, label, reliability, share (of the votes for the
    label), target (the nearest sequence with a label, though it may be beyond --max-distance), its
    distance, n_neighbors (how many voted), and columns of QUERIES that --keep names. --neighbors
    has a line for each neighbour that voted: query, rank, target, distance, label and weight.

    \b
      revdist annotate swissprot.parquet new.fasta --labels families.tsv -o annotations.tsv
      revdist annotate reference.csv new.fasta --label-column location --min-reliability 0.9
      revdist annotate swissprot.fasta new.fasta --label-from-header OS= --neighbors votes.csv
      revdist annotate db.parquet new.fasta --labels pfam.csv --group-column clan -n 35M \\
        --distiller distiller.safetensors -o annotations.parquet
    """  # noqa: D301
    start = time.monotonic()
    refuse_json(output, "annotations", as_json)
    for path in (output, neighbors):
        refuse_input(path, database, queries, labelling["labels"])
    if neighbors is not None and neighbors in (output, STDIO):
        raise click.UsageError("--neighbors needs a file of its own; name another one.")
    if outlier_label is not None and max_distance is None:
        raise click.UsageError("Without --max-distance all queries have neighbours; give it, too.")
    find = _source(database, **labelling)
    if not database.is_dir() and holds_sequences(database, None, None):
        with failing(INPUT):
            find([name for name, _ in read_records(database)])  # before they are embedded
    model = AnnotationTransferClassifier(n_neighbors, metric=metric, max_distance=max_distance)
    judged = []
    with local_copy(queries) as path, finishing(output) as (target, kept):
        copied = _copied(path, reading)
        reading["keep"] = ()  # of what is compared
        with reading_alike(database, path, reading, asked, kept, quiet=quiet) as alike:
            with failing(INPUT):
                known = find(alike.database.names)
            _note_left_out(known, labelling["labels"])
            labelled = Labelled.of(alike.database, known, model, alike.folder)
            copy = copied.reader()
            with (
                failing(OUTPUT),
                writing_frames(target, TYPES | _types(copied)) as write,
                writing_frames(neighbors, VOTE_TYPES)
                if neighbors
                else nullcontext() as write_votes,
                progress(len(alike.queries.names), quiet, "query") as bar,
            ):
                for table, votes in labelled.annotate(alike.queries):
                    outliers = table["n_neighbors"] == 0
                    if min_reliability is not None:
                        table.loc[table["reliability"] < min_reliability, "label"] = None
                    table.loc[outliers, "label"] = outlier_label
                    judged.append(table[["label", "reliability", "n_neighbors"]])
                    with failing(INPUT):
                        table = table.assign(**copy(len(table)))
                    write(table)
                    if neighbors:
                        write_votes(votes)
                    bar.update(len(table))
    counts = _counted(pd.concat(judged))
    n_targets, n_labels = len(labelled.names), len(model.classes_)
    done = {
        **counts,
        "n_targets": n_targets,
        "n_labels": n_labels,
        "models": alike.models,
        "n_components": model.n_features_in_,
        "metric": metric,
        "seconds": round(time.monotonic() - start, 3),
    }
    where = "" if output == STDIO else f"{output}: "
    of_models = f" of {' + '.join(alike.models)}" if alike.models else ""
    lines = [
        f"{where}{counts['n_annotated']} of {counts['n_queries']} queries annotated by {n_targets} "
        f"sequences with {n_labels} labels, by {model.n_features_in_} columns{of_models}"
    ]
    reasons = {
        "n_outliers": "have no neighbour within --max-distance",
        "n_unreliable": "have a label below --min-reliability, which is left empty",
    }
    lines += [
        f"{counts[name]} of {counts['n_queries']} {reason}"
        for name, reason in reasons.items()
        if counts[name]
    ]
    if counts["n_annotated"]:
        lines.append(
            f"Expect {counts['mean_reliability']:.0%} of the labels to be right, the mean "
            f"reliability; {counts['n_reliable']} have one above {_RELIABLE}"
        )
    report(output, done, "\n".join(lines), as_json)


def _source(
    database: Path,
    labels: Path | None,
    label_name_column: str | None,
    label_column: str | None,
    label_from_header: str | None,
    group_column: str | None,
) -> Find:
    """Read labels from where the options say that they are."""
    if label_from_header is not None:
        if {labels, label_name_column, label_column, group_column} != {None}:
            raise click.UsageError(
                "--label-from-header takes labels from headers; leave out --labels and columns of "
                "it, or the key."
            )
        return labels_of_headers(label_from_header)
    if labels is not None:
        with failing(INPUT):
            return labels_of_table(labels, label_name_column, label_column or "label", group_column)
    if label_column is None:
        raise click.UsageError(
            "Say where labels are: in a table (--labels), in a column of DATABASE "
            "(--label-column), or in its headers (--label-from-header)."
        )
    if label_name_column is not None:
        raise click.UsageError("--label-name-column is a column of --labels; give that, too.")
    is_table = is_text(database, None) or database.suffix == ".parquet"
    if database.is_dir() or not is_table:
        raise click.UsageError(
            f"{str(database)!r} is not a table (CSV, TSV, Excel or Parquet) with a column of "
            "labels; give one with names and labels (--labels)."
        )
    with failing(INPUT):
        return labels_of_columns(database, label_column, group_column)


def _copied(path: Path, reading: dict[str, Any]) -> CopiedColumns:
    """Columns of queries that --keep names."""
    if not reading["keep"]:
        return NO_COLUMNS
    kind = reading["input_format"], reading["sequence_column"]
    if path.is_dir() or not holds_sequences(path, *kind):
        raise click.UsageError(
            f"--keep copies columns of a table of sequences, and {str(path)!r} holds embeddings; "
            "leave it out."
        )
    copied = Records(path, **reading).copied
    refuse_clashes(copied.types, TYPES)
    return copied


def _types(copied: CopiedColumns) -> dict[str, Any]:
    """Types that pandas has for the columns that are copied."""
    kinds = copied.types.items()
    return {name: "string" if kind is None else pd.ArrowDtype(kind) for name, kind in kinds}


def _note_left_out(known: Labels, table: Path | None) -> None:
    """Say what of the database has no label, and what of the labels is not in the database."""
    if n_without := int((known.labels == "").sum()):
        note(f"{n_without} of {len(known.labels)} sequences of the database have no label")
    if known.n_unknown:
        note(f"Not in the database: {known.n_unknown} of the names of {str(table)!r}")


def _counted(judged: pd.DataFrame) -> dict[str, Any]:
    """Count annotated queries, and how many of them are likely to be right."""
    outliers = judged["n_neighbors"] == 0
    annotated = ~outliers & judged["label"].notna()
    reliability = judged["reliability"][annotated]
    return {
        "n_queries": len(judged),
        "n_annotated": int(annotated.sum()),
        "n_outliers": int(outliers.sum()),
        "n_unreliable": int((~outliers & ~annotated).sum()),
        "n_reliable": int((reliability > _RELIABLE).sum()),
        "mean_reliability": float(reliability.mean()) if annotated.any() else None,
    }
