"""Train a language model on texts without labels: the command `zoo pretrain`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["pretrain", *sys.argv[1:]])
