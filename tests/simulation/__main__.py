"""Run the simulation from the command line: `python -m tests.simulation --seed 17 --steps 300`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.run import RunFailedError, run


def main() -> int:
    """Run one seed, or one after the other from a seed on; exit status 1 at the first that breaks a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the (first) seed")
    parser.add_argument("--steps", type=int, default=300, help="actions of one run")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds, counted up from --seed")
    arguments = parser.parse_args()
    seen: Counter[str] = Counter()
    began = time.perf_counter()
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        try:
            outcome = run(seed, arguments.steps)
        except RunFailedError as failure:
            cause = failure.__cause__
            if not isinstance(cause, AssertionError):
                raise
            print(failure, file=sys.stderr)
            return 1
        seen += outcome.seen
        print(f"seed {seed}: every law holds, trace {outcome.trace[:16]}")
    for what, count in sorted(seen.items()):
        print(f"{count:8} {what}")
    print(f"{time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
