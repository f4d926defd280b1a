"""Turn a run into a shipped preset: the command `zoo publish`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["publish", *sys.argv[1:]])
