"""Command `revdist search`: the nearest sequences of a database, by embeddings."""

import time
from collections.abc import Iterator
from functools import partial

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..neighbors._found import Nearest
from ..neighbors._prefix_neighbors import PrefixNeighbors
from ._comparison import reading_alike
from ._console import progress
from ._databases import Database
from ._endings import INPUT, OUTPUT, failing
from ._frames import writing_frames
from ._options import name_column_option, report_options, sequence_options
from ._outputs import finishing, refuse_json, report
from ._paths import STDIO, local_copy, refuse_input
from ._queries import asking, comparison_options, list_option, two_files

_TYPES = {
    "query": "string",
    "target": "string",
    "rank": "int64",
    "distance": "float64",
    "qlen": "Int64",
    "tlen": "Int64",
}


@click.command()
@two_files
@click.option(
    "-k",
    "n_hits",
    default=16,
    type=click.IntRange(min=1),
    help="Number of hits of each query; fewer where there are fewer sequences.",
)
@list_option
@comparison_options
@click.option(
    "--max-distance", type=click.FloatRange(min=0), help="Leave out hits that are farther."
)
@click.option(
    "--exclude-identical",
    is_flag=True,
    help="Leave out hits with the same embedding, bit for bit, such as the query itself.",
)
@name_column_option("QUERIES")
@sequence_options
@report_options("about what was done")
@asking
def search_command(
    database,
    queries,
    n_hits,
    output,
    asked,
    metric,
    max_distance,
    exclude_identical,
    as_json,
    quiet,
    reading,
):
    """Find for each of QUERIES the nearest sequences of DATABASE.

    Each is embeddings, or sequences in any form that `revdist embed` takes. Embeddings are a table
    that `revdist embed` or `revdist transform` wrote, with names (so not npy), a folder of
    embed_to_parquet, or a store, whose sequences are their own names. Sequences are embedded as the
    other side was, by its model, layer, pooling and precision. If these differ, as far as the files
    say, nothing is searched. --input-format, --sequence-column and --name-column are of QUERIES.

    Nested embeddings are compared by all columns or by a prefix (-n). Plain ones are compared by
    one model, the largest unless -m names another, since side by side each model would count by its
    scale; or --distiller nests them first.

    The search is exact, and finds identical sequences, too. The columns that are compared are
    copied to a temporary file (in TMPDIR), and may be larger than memory.

    The output has a header and a line for each hit, the nearest first: query, target, rank (from
    1), distance, qlen and tlen (residues, empty if not known). query, target, qlen and tlen are
    also columns of `mmseqs convertalis --format-output`; here names are whole, as its qheader and
    theader. There is no fident or evalue, which need an alignment.

    \b
      revdist embed swissprot.fasta -m 650M -o swissprot.parquet
      revdist search swissprot.parquet new.fasta -o hits.tsv
      revdist search swissprot.parquet new.fasta --distiller distiller.safetensors -n 35M
      revdist search nested.parquet other_nested.h5 -k 5 --metric cosine -o hits.parquet
      revdist search proteins.fasta proteins.fasta -m demo --exclude-identical
    """  # noqa: D301
    start = time.monotonic()
    refuse_json(output, "hits", as_json)
    refuse_input(output, database, queries)
    with (
        local_copy(queries) as path,
        finishing(output) as (target, kept),
        reading_alike(database, path, reading, asked, kept, quiet=quiet) as alike,
    ):
        searched, given, models, _ = alike
        with failing(INPUT):
            neighbors = PrefixNeighbors(
                min(n_hits, len(searched.rows)),
                metric=metric,
                exclude="identical" if exclude_identical else "none",
            ).fit(searched.rows)
        n_found = 0
        with (
            failing(OUTPUT),
            writing_frames(target, _TYPES) as write,
            progress(len(given.names), quiet, "query") as bar,
        ):
            for n_queries, table in _hits(neighbors, searched, given, n_hits):
                if max_distance is not None:
                    table = table[table["distance"] <= max_distance]
                write(table)
                n_found += len(table)
                bar.update(n_queries)
    done = {
        "n_hits": n_found,
        "n_queries": len(given.names),
        "n_targets": len(searched.names),
        "models": models,
        "n_components": searched.rows.shape[1],
        "metric": metric,
        "seconds": round(time.monotonic() - start, 3),
    }
    where = "" if output == STDIO else f"{output}: "
    of_models = f" of {' + '.join(models)}" if models else ""
    line = (
        f"{where}{n_found} hits of {len(given.names)} queries in {len(searched.names)} sequences, "
        f"by {searched.rows.shape[1]} columns{of_models}"
    )
    report(output, done, line, as_json)


def _hits(
    neighbors: PrefixNeighbors, database: Database, queries: Database, n_hits: int
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Search a database, on the rows of which neighbors are fitted, for some queries at a time.

    Rows are searched, but records are found: several records of one sequence may share a row.
    Yields how many queries were searched and, by query, distance and number of the record, the
    nearest records, which are fewer than `n_hits` if the database is small.
    """
    names, targets = (np.array(side.names, dtype=object) for side in (queries, database))
    by_row = np.argsort(database.of_row, kind="stable")
    ends = np.searchsorted(database.of_row[by_row], np.arange(len(database.rows) + 1))
    for part, of_part in queries.parts():
        with failing(INPUT):
            asked = neighbors._asked(of_part)
            found = neighbors._searched(asked, partial(Nearest, n_neighbors=neighbors.n_neighbors))
        distances = np.concatenate([nearest.distances for nearest in found])
        rows = np.concatenate([nearest.rows for nearest in found])  # -1 where there are fewer
        of, at = np.nonzero(rows >= 0)
        distance, row = distances[of, at], rows[of, at]
        n_records = ends[row + 1] - ends[row]
        record = by_row[np.repeat(ends[row], n_records) + _counted(n_records)]
        of, distance = np.repeat(of, n_records), np.repeat(distance, n_records)
        order = np.lexsort((record, distance, of))
        rank = 1 + _counted(np.bincount(of, minlength=len(of_part)))
        order, rank = order[rank <= n_hits], rank[rank <= n_hits]
        of, record = of[order], record[order]
        hits = {
            "query": names[part][of],
            "target": targets[record],
            "rank": rank,
            "distance": distance[order],
            "qlen": _known(queries.lengths[part][of]),
            "tlen": _known(database.lengths[record]),
        }
        yield len(of_part), pd.DataFrame(hits)


def _counted(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, 2 and so on up to each of some counts."""
    starts = np.cumsum(counts) - counts
    return np.arange(counts.sum()) - np.repeat(starts, counts)


def _known(lengths: NDArray[np.int64]) -> pd.Series:
    """Lengths, empty where they are not known."""
    return pd.Series(lengths, dtype="Int64").mask(lengths < 0)
