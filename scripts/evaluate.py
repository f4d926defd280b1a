"""Measure a preset on data: the command `zoo evaluate`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
