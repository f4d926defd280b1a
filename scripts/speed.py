"""Measure how fast a preset answers, and print one JSON object; `--help` says the rest."""

import argparse

from applications.core.outputs import print_json
from applications.core.timing import measure, read_option

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="speed.py", description=__doc__.partition(",")[0] + ".")
    parser.add_argument("preset", help="a shipped name, a preset folder or a run folder")
    parser.add_argument("source", help="where the texts come from, as for `zoo evaluate --data`")
    parser.add_argument("split", nargs="?", help="of the source")
    parser.add_argument(
        "--texts", type=int, metavar="N", help="so many texts, from all parts of the source; by default all"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="how often all are predicted; 5 by default"
    )
    parser.add_argument(
        "--set",
        type=read_option,
        action="append",
        dest="how",
        default=[],
        metavar="NAME=VALUE",
        help="how the answers are found, such as beam=1; may be repeated",
    )
    print_json(parser, lambda how, **given: measure(**given, how=dict(how)))
