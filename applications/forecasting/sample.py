"""The built-in samples: two real series that statsmodels brings, enough to try every command without a network."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Sample:
    """What is known of a sample.

    Attributes:
        frequency: pandas' name of the step.
        period: steps in a season.
        held: how many values the split `test` has, and `validation` before it.
    """

    frequency: str
    period: int
    held: int


SAMPLES = {
    # Yearly numbers of sunspots, 1700 to 2008, whose cycles last eleven years or so.
    "sunspots": Sample("YS-JAN", 11, 44),
    # Weekly carbon dioxide of the air on Mauna Loa in ppm, 1958 to 2001, 59 weeks missing (Keeling & Whorf).
    "co2": Sample("W-SAT", 52, 208),
}


def frame(name: str) -> "pd.DataFrame":
    """Return all of a sample: the columns `time`, and one of its name."""
    import pandas as pd
    from statsmodels import datasets

    if name == "co2":
        values = datasets.co2.load_pandas().data["co2"]
        times = values.index
    else:
        found = datasets.sunspots.load_pandas().data
        values, times = found["SUNACTIVITY"], pd.to_datetime(found["YEAR"].astype(int).astype(str))
    return pd.DataFrame({"time": times.to_numpy(), name: values.to_numpy()})
