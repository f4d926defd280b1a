"""Answer for raw input: the command `zoo predict`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["predict", *sys.argv[1:]])
