"""Train an application on data: the command `zoo train`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
