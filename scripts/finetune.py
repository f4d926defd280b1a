"""Train a preset further on data: the command `zoo finetune`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["finetune", *sys.argv[1:]])
