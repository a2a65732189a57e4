"""Make the bundled file of published outputs of ESM-2 from FastPLMs' golden files.

    python examples/published_outputs.py FOLDER

FOLDER holds `fastplms_golden_esm2_8m.safetensors` and so on, and their manifests (.json): those of
`tests/goldens` of github.com/Synthyra/FastPLMs at the commit below, each name with that prefix.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from sklearn_revdist.embedding._published_outputs import FILE
from sklearn_revdist.sequences._tokens import as_text
from sklearn_revdist.utils._models import ESM2

SOURCE = "github.com/Synthyra/FastPLMs, tests/goldens"
COMMIT = "1f782820f05a1b4a14bb78a310a8bc7838df3ba2"
N_RESIDUES = 6  # of each sequence, from the first to the last


def positions_of(length):
    """Positions, from 1, spread evenly over a sequence."""
    return np.linspace(1, length, N_RESIDUES).round().astype(int).tolist()


def read(folder, model):
    """Sequences and their residue rows, once the manifest's checksum and model are right."""
    path = folder / f"fastplms_golden_esm2_{model.short.lower()}.safetensors"
    manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == manifest["tensor_file"]["sha256"], path
    assert manifest["checkpoint"]["repo_id"] == f"facebook/{model.name}", path
    arrays = load_file(path)
    masks = arrays["residue_mask"]
    sequences = [
        as_text(ids[mask]) for ids, mask in zip(arrays["input__input_ids"], masks, strict=True)
    ]
    states = arrays["output__last_hidden_state"]
    rows = [state[mask] for state, mask in zip(states, masks, strict=True)]
    assert [*map(len, sequences)] == [*map(len, rows)]
    return sequences, rows, digest


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=FILE)
    arguments = parser.parse_args()
    tensors, digests, inputs = {}, {}, []
    for model in ESM2[:5]:
        sequences, rows, digests[model.name] = read(arguments.folder, model)
        positions = [positions_of(len(sequence)) for sequence in sequences]
        inputs.append({"sequences": sequences, "positions": positions})
        kept = [r[np.array(at) - 1] for r, at in zip(rows, positions, strict=True)]
        means = [r.mean(0, dtype=np.float64) for r in rows]
        # float16 keeps three bits more than bfloat16, in which they were computed
        tensors[f"{model.name}/rows"] = np.concatenate(kept).astype(np.float16)
        tensors[f"{model.name}/means"] = np.stack(means).astype(np.float16)
    assert all(shared == inputs[0] for shared in inputs)
    origin = {"source": SOURCE, "commit": COMMIT, "licence": "Apache-2.0", "sha256": digests}
    # one entry, since the order of several differs from run to run
    description = json.dumps(inputs[0] | origin)
    save_file(tensors, arguments.output, {"description": description})


if __name__ == "__main__":
    main()
