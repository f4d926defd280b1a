"""Show finished runs side by side: the command `zoo compare`, from a checkout."""

import sys

from applications.cli import main

if __name__ == "__main__":
    main(["compare", *sys.argv[1:]])
