"""Compare retrieval with probes on the same embeddings: eleven tasks, of `retrieval_tasks.py`.

    pip install pyhmmer; apt-get install mmseqs2  # for the best hits of sequence searches
    python examples/retrieval.py --data DATA --cache retrieval --output docs/results/retrieval.csv

Proteins and residues are embedded by the demo chain, receptors by SCEPTR if `embed_receptors.py`
has been run; peptides and variants have real ESM-2 8M embeddings. Scores are Matthews' correlation
(classes), Spearman's (numbers), and the share of orthologues that are nearest. Gains are against
ridge or logistic regression on the same columns, with 95 % intervals from 1,000 resamplings of what
is asked. Further tables, beside the output: scaling of levels, reliability, and identity.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from retrieval_tasks import embedded_tasks
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import (
    AnnotationTransferClassifier,
    AnnotationTransferRegressor,
    PrefixNeighbors,
    RetrievalAugmenter,
    RetrievalMixtureClassifier,
    RetrievalMixtureRegressor,
    accuracy_by_identity,
)

N_RESAMPLED = 1000
KINDS = ("", "_levels", "_reliability", "_identity")
# Identity in percent; the first band is that of queries without a hit.
BANDS = [0, 1, 30, 50, 70, 100]
METHODS_BY_IDENTITY = [
    ("phmmer", "sequences"),
    ("1 neighbour", "nested"),
    ("transfer", "nested"),
    ("linear", "nested"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument(
        "--cache", type=Path, default=Path("retrieval"), help="folder of embeddings"
    )
    parser.add_argument("--output", type=Path, required=True, help="file for the table")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    for name, read in embedded_tasks(args.data, args.cache):
        if not path_of(args.cache, name, "").exists():
            print(name, file=sys.stderr, flush=True)
            task, hits = read(), {}
            if task.known.sequences and isinstance(task.known.sequences[0], str):
                hits = sequence_hits(name, task, args.cache)
            for kind, rows in reversed(experiments(name, task, hits).items()):
                pd.DataFrame(rows).to_csv(path_of(args.cache, name, kind), index=False)
    for kind in KINDS:
        paths = [
            path_of(args.cache, name, kind) for name, _ in embedded_tasks(args.data, args.cache)
        ]
        parts = [pd.read_csv(path) for path in paths if path.stat().st_size > 1]
        table = pd.concat(parts).round(3)
        path = args.output.with_stem(args.output.stem + kind)
        table.to_csv(path, index=False, lineterminator="\n")
        print(table.to_string(index=False))


def path_of(folder, name, kind):
    """File of a table of one task."""
    return folder / f"{name.replace(' ', '_')}_table{kind}.csv"


def experiments(name, task, hits):
    """Rows of each table for one task."""
    reps = representations(task)
    whole = "nested" if task.distiller else "ESM-2 8M"
    if name == "orthologues":
        predicted = nearest_names(task, reps)
    elif task.known.labels.dtype.kind == "f":
        predicted = regressions(task, reps, whole)
    else:
        predicted = classifications(task, reps, whole)
    rows = {kind: [] for kind in KINDS}
    for program, (labels, _) in hits.items():
        predicted[program, "sequences"] = labels
    reference = predicted.get(("linear", whole), predicted.get(("1 neighbour", whole)))
    rows[""] = [
        {"task": name, "method": method, "representation": columns}
        | compared(name, task, values, predicted.get(("linear", columns), reference))
        for (method, columns), values in predicted.items()
    ]
    if task.distiller:
        rows["_levels"] = list(levels(name, task, reps["nested"]))
    if task.known.labels.dtype.kind != "f" and name != "orthologues":
        rows["_reliability"] = [reliability(name, task, reps[whole])]
    if hits:
        identity = hits["phmmer"][1]
        rows["_identity"] = list(by_identity(name, task, predicted, identity))
    return rows


def representations(task):
    """Columns of known and asked rows, by name."""
    if task.distiller is None:
        return {"ESM-2 8M": (task.X, task.Q)}
    widths, width = task.widths, task.widths[-1]
    nested = tuple(np.asarray(task.distiller.transform(rows)) for rows in (task.X, task.Q))
    pca = PCA(width, random_state=0).fit(task.X)
    largest = tuple(rows[:, -width:] for rows in (task.X, task.Q))
    reps = {"nested": nested}
    for n in widths[:-1]:
        reps[f"nested, {n} columns"] = tuple(rows[:, :n] for rows in nested)
    for i, n in enumerate(widths):
        start = sum(widths[:i])
        reps[f"model of {n} columns"] = tuple(
            rows[:, start : start + n] for rows in (task.X, task.Q)
        )
    reps[f"model of {width} columns, first {widths[0]}"] = tuple(r[:, : widths[0]] for r in largest)
    reps["concatenation"] = (task.X, task.Q)
    reps[f"{width} principal components"] = tuple(pca.transform(r) for r in (task.X, task.Q))
    return {key: tuple(map(np.ascontiguousarray, pair)) for key, pair in reps.items()}


def classifications(task, reps, whole):
    y = task.known.labels
    classes, counts = np.unique(y, return_counts=True)
    predicted = {("majority", "none"): np.full(len(task.asked.labels), classes[counts.argmax()])}
    linear = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=np.logspace(-4, 0, 5), cv=3, max_iter=2000, scoring="neg_log_loss",
            l1_ratios=(0,), use_legacy_attributes=False,
        ),
    )  # fmt: skip
    if min(counts) < 3:  # too few for three folds with all classes
        linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    for key in linear_on(reps, whole):
        predicted["linear", key] = fitted(linear, reps[key], y)
    for key, pair in reps.items():
        predicted["1 neighbour", key] = fitted(AnnotationTransferClassifier(1), pair, y)
        predicted["transfer", key] = fitted(AnnotationTransferClassifier(), pair, y)
    augmented = make_pipeline(RetrievalAugmenter(), linear)
    predicted["augmented linear", whole] = fitted(
        augmented, reps[whole], y, retrievalaugmenter__groups=task.known.groups
    )
    mixed = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    mixture = RetrievalMixtureClassifier(mixed, PrefixNeighbors(8))
    predicted["mixture", whole] = fitted(mixture, reps[whole], y, groups=task.known.groups)
    return predicted


def regressions(task, reps, whole):
    y = task.known.labels
    predicted = {("mean", "none"): np.full(len(task.asked.labels), y.mean())}
    linear = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13)))
    predicted["linear", whole] = fitted(linear, reps[whole], y)
    for k, method in ((1, "1 neighbour"), (16, "transfer")):
        predicted[method, whole] = fitted(AnnotationTransferRegressor(k), reps[whole], y)
    augmented = make_pipeline(RetrievalAugmenter(), linear)
    predicted["augmented linear", whole] = fitted(augmented, reps[whole], y)
    mixture = RetrievalMixtureRegressor(linear, PrefixNeighbors(8))
    predicted["mixture", whole] = fitted(mixture, reps[whole], y)
    return predicted


def linear_on(reps, whole):
    return [key for key in reps if key == whole or not key.startswith("nested,")]


def nearest_names(task, reps):
    """Labels of the nearest rows."""
    return {
        ("1 neighbour", key): task.known.labels[
            PrefixNeighbors(1, exclude="none").fit(X).kneighbors(Q, return_distance=False)[:, 0]
        ]
        for key, (X, Q) in reps.items()
    }


def fitted(estimator, pair, y, **params):
    return clone(estimator).fit(pair[0], y, **params).predict(pair[1])


def compared(name, task, values, reference):
    """Score of predictions, and gain over others, with intervals."""
    score = score_of(name, task.asked.labels, values, reference)
    members = pd.Series(np.arange(len(values))).groupby(task.asked.groups).indices
    members = list(members.values())
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(N_RESAMPLED):
        drawn = rng.integers(len(members), size=len(members))
        ours, theirs = score(np.concatenate([members[i] for i in drawn]))
        gains.append(ours - theirs)
    ours, theirs = score(np.arange(len(values)))
    low, high = np.quantile(gains, [0.025, 0.975])
    return {"score": ours, "gain": ours - theirs, "low": low, "high": high}


def score_of(name, truth, *predicted):
    """Function of the rows that count; the scores of all predictions."""
    if truth.dtype.kind == "f":
        return lambda rows: [spearman(truth[rows], values[rows]) for values in predicted]
    if name == "orthologues":
        return lambda rows: [(values[rows] == truth[rows]).mean() for values in predicted]
    labels, codes = np.unique(np.concatenate([truth, *predicted]), return_inverse=True)
    truth, *predicted = np.split(codes, 1 + len(predicted))
    return lambda rows: [matthews(truth[rows], v[rows], len(labels)) for v in predicted]


def spearman(a, b):
    a, b = rankdata(a), rankdata(b)
    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else np.corrcoef(a, b)[0, 1]


def matthews(truth, predicted, n_classes):
    """Matthews' correlation of several classes; faster than scikit-learn's."""
    counts = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    table, n = counts.reshape(n_classes, n_classes).astype(float), len(truth)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    spread = (n**2 - rows @ rows) * (n**2 - columns @ columns)
    return 0.0 if spread == 0 else (np.trace(table) * n - rows @ columns) / np.sqrt(spread)


def levels(name, task, pair):
    """Scores of ways to scale the levels of nested columns."""
    (X, Q), ends = pair, task.widths
    spans = [slice(*span) for span in zip([0, *ends], ends, strict=False)]
    whole = [X[:, span].var(axis=0).sum() for span in spans]
    widths = np.diff(ends, prepend=0)
    scales = {
        "as they are": np.ones(len(ends)),
        "square root": np.power(whole, -0.25),
        "equal variance of levels": np.power(whole, -0.5),
        "equal mean variance of columns": np.sqrt(widths / whole),
    }
    scaled = {key: np.repeat(scale, widths) for key, scale in scales.items()}
    scaled["equal variance of columns"] = 1 / X.std(axis=0)
    whitened = whitening(X, spans)
    predicted = {}
    for key, scale in scaled.items():
        predicted[key] = by_neighbours(name, task, X * scale, Q * scale)
    predicted["whitened levels"] = by_neighbours(name, task, whitened(X), whitened(Q))
    reference = predicted["as they are"]
    for key, values in predicted.items():
        yield {"task": name, "scale": key} | compared(name, task, values, reference)


def by_neighbours(name, task, X, Q):
    model = AnnotationTransferClassifier(1 if name == "orthologues" else 16)
    return model.fit(X, task.known.labels).predict(Q)


def whitening(X, spans):
    """Function that gives the principal coordinates of each level a variance of 1, or less."""
    steps = []
    for span in spans:
        mean = X[:, span].mean(axis=0)
        _, s, V = np.linalg.svd(X[:, span] - mean, full_matrices=False)
        steps.append((span, mean, V.T * np.sqrt(len(X)) / np.sqrt(s**2 + 0.03 * s[0] ** 2)))
    return lambda rows: np.hstack([(rows[:, span] - mean) @ W for span, mean, W in steps])


def reliability(name, task, pair):
    """How well the reliability is calibrated, and how well it orders predictions."""
    (X, Q), truth = pair, task.asked.labels
    model = AnnotationTransferClassifier().fit(X, task.known.labels, groups=task.known.groups)
    is_right, probability = model.predict(Q) == truth, model.reliability(Q)
    bins = np.minimum((10 * probability).astype(int), 9)
    gaps = [
        abs((probability - is_right)[bins == i].mean()) * (bins == i).mean()
        for i in np.unique(bins)
    ]
    distance = model.kneighbors(Q, 1)[0][:, 0]
    share = model.predict_proba(Q).max(axis=1)
    return {
        "task": name,
        "right": is_right.mean(),
        "expected calibration error": sum(gaps),
        "AUROC of reliability": roc_auc_score(is_right, probability),
        "AUROC of distance": roc_auc_score(is_right, -distance),
        "AUROC of share of votes": roc_auc_score(is_right, share),
    }


def by_identity(name, task, predicted, identity):
    """Share of right predictions by the identity of the best hit of a sequence search."""
    for method, columns in METHODS_BY_IDENTITY:
        if (method, columns) in predicted:
            known = {"task": name, "method": method, "representation": columns}
            values = predicted[method, columns]
            table = accuracy_by_identity(task.asked.labels, values, 100 * identity, bands=BANDS)
            yield from (known | row for row in table.to_dict("records"))


def sequence_hits(name, task, cache):
    """Labels of the best hits of phmmer and MMseqs2, and their identities; the majority without."""
    path = cache / f"{name.replace(' ', '_')}_hits.csv"
    if not path.exists():
        best = {"phmmer": phmmer(task), "MMseqs2": mmseqs(task)}
        best = {program: found for program, found in best.items() if found is not None}
        parts = [found.assign(program=program) for program, found in best.items()]
        if not parts:
            return {}
        pd.concat(parts).to_csv(path, index=False)
    table, labels = pd.read_csv(path), task.known.labels
    classes, counts = np.unique(labels, return_counts=True)
    hits = {}
    for program, found in table.groupby("program", sort=False):
        values = np.full(len(task.asked.labels), classes[counts.argmax()])
        identity = np.zeros(len(values))
        values[found["query"]] = labels[found["target"]]
        identity[found["query"]] = found["identity"]
        hits[program] = values, identity
    return hits


def phmmer(task):
    """Best hits by profile search (pyhmmer)."""
    try:
        import pyhmmer
    except ImportError:
        return None
    alphabet = pyhmmer.easel.Alphabet.amino()
    known, asked = (
        pyhmmer.easel.DigitalSequenceBlock(
            alphabet,
            [
                pyhmmer.easel.TextSequence(name=str(i).encode(), sequence=s).digitize(alphabet)
                for i, s in enumerate(part.sequences)
            ],
        )
        for part in (task.known, task.asked)
    )
    rows = []
    for query, hits in enumerate(pyhmmer.hmmer.phmmer(asked, known, cpus=1, E=1e-3)):
        if len(hits):
            alignment = hits[0].best_domain.alignment
            pairs = zip(
                alignment.hmm_sequence.upper(), alignment.target_sequence.upper(), strict=True
            )
            rows.append((query, int(hits[0].name), np.mean([a == b for a, b in pairs])))
    return pd.DataFrame(rows, columns=["query", "target", "identity"])


def mmseqs(task):
    """Best hits of MMseqs2 at its highest sensitivity."""
    if shutil.which("mmseqs") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name in ("known", "asked"):
            sequences = getattr(task, name).sequences
            paths.append(Path(folder, f"{name}.fasta"))
            paths[-1].write_text("".join(f">{i}\n{s}\n" for i, s in enumerate(sequences)))
        output = Path(folder, "hits.tsv")
        command = ["mmseqs", "easy-search", paths[1], paths[0], output, folder]
        options = ["-s", "7.5", "--threads", "1", "-v", "1", "-e", "0.001"]
        options += ["--format-output", "query,target,fident"]
        subprocess.run([*map(str, command), *options], check=True)
        names = ["query", "target", "identity"]
        return pd.read_csv(output, sep="\t", names=names).drop_duplicates("query")


if __name__ == "__main__":
    main()
