"""Measure whether training waits for its data, and print one JSON object; `--help` says the rest."""

import argparse

from applications.core.outputs import print_json
from applications.sentiment.reader import measure

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="reader.py", description=__doc__.partition(",")[0] + ".")
    parser.add_argument("source", help="where the texts come from, as for `zoo train --data`")
    parser.add_argument(
        "batch_size", nargs="?", type=int, default=32, help="examples in a batch; 32 by default"
    )
    print_json(parser, measure)
