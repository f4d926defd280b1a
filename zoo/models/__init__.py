"""Networks without a task: tensors in, tensors out."""

from zoo.models.autoregressive_forecaster import AutoregressiveForecaster
from zoo.models.classifier import RecurrentClassifier
from zoo.models.forecast_ensemble import ForecastEnsemble
from zoo.models.language_model import RecurrentLanguageModel
from zoo.models.linear_forecaster import LinearForecaster
from zoo.models.segment_forecaster import SegmentForecaster
from zoo.models.sequence_to_sequence import RecurrentSequenceToSequence
from zoo.models.smoothing_forecaster import SmoothingForecaster

__all__ = [
    "AutoregressiveForecaster",
    "ForecastEnsemble",
    "LinearForecaster",
    "RecurrentClassifier",
    "RecurrentLanguageModel",
    "RecurrentSequenceToSequence",
    "SegmentForecaster",
    "SmoothingForecaster",
]
