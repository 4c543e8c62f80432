"""Random solids with holes, bosses and cuts, each read through STEP and through BREP, beside the kernel's numbers.

    python -m benchmarks.two_ways --count 2000

Prints every solid with a fault, and in the end how many there were of each way and kind, and how many of the solids
were refused instead, with the reason. What is compared, and how close it must be: `tests.brep.two_ways`.
"""

import argparse
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path

from tests.brep.two_ways import REFUSED, faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="solids")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    args = parser.parse_args()
    solids, failed, refused, kinds = 0, 0, 0, Counter[str]()
    for seed in count(args.first):
        if solids == args.count:
            break
        with tempfile.TemporaryDirectory() as folder:
            wrong = faults(seed, Path(folder))
        solids += wrong is not None
        if wrong:
            refused += all(REFUSED in fault for fault in wrong)
            failed += not all(REFUSED in fault for fault in wrong)
            kinds.update(" ".join(fault.split()[:2]) for fault in wrong)
            print(f"seed {seed}: " + "; ".join(wrong), flush=True)
    print(f"{solids} solids (seeds {args.first} to {seed - 1}), {failed} with a wrong number, {refused} refused")
    print(dict(kinds.most_common()))


if __name__ == "__main__":
    main()
