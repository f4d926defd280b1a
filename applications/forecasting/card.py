"""What the model cards of this application say beside the measured numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from applications.core.cards import About


@dataclass(frozen=True)
class Corpus:
    """What is said of a data set.

    Attributes:
        series: what is forecast.
        data: what it was trained on.
        licence: of the data, and what that means for the weights.
        table: Python that reads a table of this kind.
    """

    series: str
    data: str
    licence: str
    table: str


_LONG = 'pd.read_csv("own.csv", parse_dates=["time"])  # the columns series, time and value'
_ETT = Corpus(
    "the load and the oil temperature of an electricity transformer",
    """
ETT (Zhou et al., 2021, AAAI, "Informer"): six loads and the oil temperature of an electricity transformer in China,
July 2016 to July 2018, hourly or every 15 minutes. The splits are the customary 12, 4 and 4 months of 30 days; every
origin of the test split is measured, no last batch is dropped.
""",
    """
CC BY-ND 4.0. Attribution: Haoyi Zhou and others, ETDataset. The data may be passed on unchanged, no adaptation of them.
Whether weights are an adaptation is unsettled; they are customarily published, and this project follows that custom.
The data are not part of the preset; the mean and the standard deviation of each series are.
""",
    'pd.read_csv("ETTm1.csv", parse_dates=["date"])  # or another table of this frequency',
)
_M4 = Corpus(
    "series of many kinds",
    """
The M4 competition (Makridakis, Spiliotis & Assimakopoulos, 2020, International Journal of Forecasting 36(1)): series
of economics, industry, demography and others, which tell neither what they are nor their dates. `test` is what the
organisers held back; the values before it, one horizon, were the validation data.
""",
    """
The organisers published the series for open use in research and practice; their repository holds no licence file.
Attribution: the M4 competition (M4-methods). The series are not part of the preset; name and scale of each are.
""",
    _LONG,
)
_BUILTIN = Corpus(
    "a sample series",
    """
A sample that statsmodels brings: the yearly numbers of sunspots, 1700 to 2008 (National Geophysical Data Center), or
the weekly carbon dioxide in the air on Mauna Loa, 1958 to 2001 (Keeling & Whorf, 2004, Scripps Institution of
Oceanography).
""",
    "Public domain, as statsmodels has it.",
    _LONG,
)
_OWN = Corpus(
    "series",
    "Data of whoever trained it.",
    "To be stated by whoever publishes the preset.",
    'pd.read_csv("own.csv")  # with columns of the same names',
)
_CORPORA = {"ett": _ETT, "m4": _M4, "builtin": _BUILTIN, "tfds:zoo_ett": _ETT, "tfds:zoo_m4": _M4}

_USE = """
Forecasts of series of the same frequency, with intervals, and as a start for fine-tuning to others of their kind
(`zoo finetune`). A series that it has not learned from gets the scale of its own history. Measure it on your own
series, beside naive forecasts, ETS and Theta, before you rely on it: `zoo evaluate ... --data own.csv --baselines`.
"""
_LIMITS = """
It goes on with what it has seen: it knows nothing of what has never happened in its window, and nothing of causes.
Intervals were calibrated on the last values before the test; they hold what they promise only as long as the series
goes on changing as it did then, and for all series together rather than for each. A series in another unit is the same
series; one of another frequency is refused. Do not rely on it where an error would harm.
MASE, sMAPE and OWA are those of the M4 competition; `crps` is the mean over quantiles at 5%, 10%, ..., 95%;
`coverage_80` is the share of values in their 80% intervals, `width_80` the mean width of these.
"""
_EXAMPLE = """
import pandas as pd
import zoo

model = zoo.tasks.Forecaster.from_preset("{{name}}")
frame = {table}
model.forecast(levels=(0.8, 0.95), frame=frame)
"""


def about(training: Mapping[str, Any]) -> About:
    """Return what to say of a forecaster; `training` is that of `applications.core.publish.TRAINING`."""
    kind, _, rest = training["data"].partition(":")
    name = f"{kind}:{rest.partition('/')[0]}" if kind == "tfds" else kind
    corpus = _CORPORA.get(name, _OWN)
    horizon = training["recipe_values"].get("horizon")
    steps = f"{horizon} steps of " if horizon else ""
    return About(
        summary=f"Forecasts {steps}{corpus.series}, with intervals.",
        data=corpus.data,
        licence=corpus.licence,
        use=_USE,
        limits=_LIMITS,
        example=_EXAMPLE.format(table=corpus.table),
    )
