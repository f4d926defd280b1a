"""Measure how fast a preset answers: `speed.py PRESET SOURCE [SPLIT]` prints one JSON object."""

import json
import sys

import zoo
from applications.core import backend
from applications.core.timing import speed
from applications.sentiment.data import load

if __name__ == "__main__":
    preset, source, *split = sys.argv[1:]
    texts = load(source, *split).texts
    task = zoo.tasks.from_preset(preset)
    print(json.dumps({**speed(task, texts), "count": len(texts), **backend.versions()}))
