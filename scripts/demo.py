"""Classify a few sentences, and those given as arguments, with the shipped preset, and draw the answers."""

import sys
from pathlib import Path

from applications.cli import main

SENTENCES = (
    "A wonderful little film.",
    "Two hours I will never get back.",
    "Funny, warm and beautifully acted.",
    "The actors try hard, but nothing could save this script.",
)

if __name__ == "__main__":
    picture = Path("runs/demo.png")
    picture.parent.mkdir(exist_ok=True)
    picture.unlink(missing_ok=True)  # of an earlier demo: what exists is never overwritten
    main(["predict", "sentiment_sst2_en", "--plot", str(picture), "--", *SENTENCES, *sys.argv[1:]])
