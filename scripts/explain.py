"""Say why a preset answers as it does: the command `zoo explain`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["explain", *sys.argv[1:]])
