"""Simulate how long adding the moments of many workers takes, by the fan-in of the tree.

    python examples/benchmarks/reduction_tree.py

Every worker has summed its own blocks and holds one set of moments, 865 MB for the family of six
models. A task that adds f sets runs where one of them is. The other f - 1 arrive one after the
other through the network card of its machine, and are sent through those of theirs. Adding is
limited by memory bandwidth: two matrices are read and one is written. A card handles one transfer
at a time.
"""

import argparse

CARD = 1.25e9  # bytes per second: ten gigabits
MEMORY = 10e9  # bytes per second of one thread
SCHEDULING = 1e-3  # seconds per task


def reduce(n_workers, fan_in, size, card):
    """Seconds until one sum is left, bytes sent, and most sums held by a worker."""
    sending, receiving = [0.0] * n_workers, [0.0] * n_workers  # until when a card is busy
    sums = [(0.0, worker) for worker in range(n_workers)]  # when each is ready, and where
    n_bytes = 0.0
    while len(sums) > 1:
        merged = []
        for first in range(0, len(sums), fan_in):
            group = sums[first : first + fan_in]
            arrived, home = group[0]
            for ready, worker in group[1:]:
                start = max(ready, sending[worker], receiving[home])
                end = start + size / card
                sending[worker] = receiving[home] = end
                arrived = max(arrived, end)
                n_bytes += size
            adding = 3 * size * (len(group) - 1) / MEMORY
            merged.append((arrived + adding + SCHEDULING, home))
        sums = merged
    return sums[0][0], n_bytes, min(fan_in, n_workers) + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=float, default=865e6, help="bytes of a set of moments")
    parser.add_argument("--card", type=float, default=CARD, help="bytes per second of a card")
    args = parser.parse_args()
    workers = (8, 64, 512)
    print(f"{args.size / 1e6:.0f} MB, {args.card / 1e9:.2f} GB/s; seconds by number of workers")
    print("fan-in" + "".join(f"{n:>8}" for n in workers) + "  held, GB   network of the last, GB")
    for fan_in in (2, 4, 8, 16, 32, 512):
        runs = [reduce(n, fan_in, args.size, args.card) for n in workers]
        times = "".join(f"{seconds:8.1f}" for seconds, _, _ in runs)
        _, n_bytes, held = runs[-1]
        print(f"{fan_in:>6}{times}{held * args.size / 1e9:10.1f}{n_bytes / 1e9:12.0f}")


if __name__ == "__main__":
    main()
