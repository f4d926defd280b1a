"""Measure how fast a preset answers: `speed.py PRESET SOURCE [SPLIT]` prints one JSON object."""

import json
import sys

from applications.core.timing import measure

if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
