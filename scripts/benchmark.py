"""Measure how fast our layers are beside their peers: `benchmark.py --quick`; `--help` says the rest."""

import sys

from applications.core.benchmark.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
