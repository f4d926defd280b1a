"""Measure whether training waits for its data: `reader.py SOURCE [BATCH_SIZE]` prints one JSON object."""

import json
import sys

from applications.sentiment.reader import measure

if __name__ == "__main__":
    source, *batch_size = sys.argv[1:]
    print(json.dumps(measure(source, *map(int, batch_size))))
