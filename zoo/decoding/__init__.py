"""Search for the best sequences: greedy, beam, or drawn. Given a step function, no task in sight."""

from zoo.decoding.beam import beam, lanes
from zoo.decoding.hypotheses import Hypotheses, tile
from zoo.decoding.single import greedy, sample

__all__ = ["Hypotheses", "beam", "greedy", "lanes", "sample", "tile"]
