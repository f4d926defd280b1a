"""Look inside a network: what its gates did, and what of its input an answer rests on."""

from zoo.inspect.attribution import PathIntegral, Score, integrated_gradients
from zoo.inspect.explainer import Explainer, explain
from zoo.inspect.explanation import Explanation, Word
from zoo.inspect.trace import Trace, trace, trace_stack

__all__ = [
    "Explainer",
    "Explanation",
    "PathIntegral",
    "Score",
    "Trace",
    "Word",
    "explain",
    "integrated_gradients",
    "trace",
    "trace_stack",
]
