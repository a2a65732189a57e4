"""Command `revdist search`: the nearest sequences of a database, by embeddings."""

import time

import click
import pandas as pd

from ..neighbors._prefix_neighbors import PrefixNeighbors
from ._console import progress
from ._databases import Database
from ._endings import INPUT, OUTPUT, failing
from ._frames import writing_frames
from ._hits import Hits, find_hits
from ._options import report_options, sequence_options
from ._outputs import refuse_json, report
from ._paths import STDIO, local_output, refuse_input
from ._queries import (
    asked_of,
    comparison_options,
    list_option,
    query_name_option,
    reading_alike,
    two_files,
)
from ._sequence_inputs import Kept

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
@query_name_option
@sequence_options
@report_options("about what was done")
@click.pass_context
def search_command(
    context,
    database,
    queries,
    n_hits,
    output,
    models,
    distiller,
    n_components,
    metric,
    max_distance,
    exclude_identical,
    as_json,
    quiet,
    reading,
    settings,
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
    asked = asked_of(context, models, distiller, n_components, settings)
    kept = Kept.beside(output)
    with (
        reading_alike(database, queries, reading, asked, kept, quiet=quiet) as alike,
        local_output(output) as target,
    ):
        searched, asking, names, _ = alike
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
            progress(len(asking.names), quiet, "query") as bar,
        ):
            for hits in find_hits(neighbors, searched, asking, n_hits):
                table = _table(hits, searched, asking)
                if max_distance is not None:
                    table = table[table["distance"] <= max_distance]
                write(table)
                n_found += len(table)
                bar.update(hits.n_queries)
    kept.remove()
    done = {
        "output": str(output),
        "n_hits": n_found,
        "n_queries": len(asking.names),
        "n_targets": len(searched.names),
        "models": names,
        "n_components": searched.rows.shape[1],
        "metric": metric,
        "seconds": round(time.monotonic() - start, 3),
    }
    where = "" if output == STDIO else f"{output}: "
    of_models = f" of {' + '.join(names)}" if names else ""
    line = (
        f"{where}{n_found} hits of {len(asking.names)} queries in {len(searched.names)} sequences, "
        f"by {searched.rows.shape[1]} columns{of_models}"
    )
    report(done, line, as_json)


def _table(hits: Hits, database: Database, queries: Database) -> pd.DataFrame:
    columns = {
        "query": [queries.names[i] for i in hits.query],
        "target": [database.names[i] for i in hits.target],
        "rank": hits.rank,
        "distance": hits.distance,
        "qlen": pd.Series(queries.lengths[hits.query], dtype="Int64"),
        "tlen": pd.Series(database.lengths[hits.target], dtype="Int64"),
    }
    table = pd.DataFrame(columns, columns=list(_TYPES))
    for name in ("qlen", "tlen"):
        table[name] = table[name].mask(table[name] < 0)  # not known
    return table
