"""Regular times: their frequency, how they go on, their season, and what the calendar says of them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UserError, unknown

if TYPE_CHECKING:
    import pandas as pd

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()

_IN_A_YEAR = {"Y": 1, "Q": 4, "M": 12}
_SEASONS = {"D": 7, "B": 5, "C": 5}

KINDS: dict[str, Callable[["pd.DatetimeIndex"], np.ndarray]] = {
    "minute_of_hour": lambda t: (t.minute + t.second / 60) / 60,
    "hour_of_day": lambda t: (t.hour + t.minute / 60 + t.second / 3600) / 24,
    "day_of_week": lambda t: t.day_of_week / 7,
    "day_of_month": lambda t: (t.day - 1) / t.days_in_month,
    "day_of_year": lambda t: (t.day_of_year - 1) / (365 + t.is_leap_year),
    "month_of_year": lambda t: (t.month - 1) / 12,
}
"""How far a cycle of the calendar has gone, from 0 up to 1, by the clock on the wall."""


def season_of(frequency: str | None) -> int:
    """Return the number of steps in the season that series of a frequency most often have.

    It is a day of what is measured within days (an hour of steps below a minute), a week of days, a year of months
    and quarters, and 1, none, of weeks, years and plain numbers, as in M4; also where steps do not divide it.

    Args:
        frequency: pandas' name, such as `"15min"` (96), `"h"` (24), `"D"` (7), `"B"` (5), `"W-SUN"` (1), `"MS"` (12)
            or `"QE-DEC"` (4); None: plain numbers.

    Raises:
        UserError: an unknown frequency.
    """
    if frequency is None:
        return 1
    offset = to_offset(frequency)
    if (step := seconds_of(offset)) is not None:
        whole = 3600 if step < 60 else 86400
        return round(whole / step) if whole % step == 0 and step < whole else 1
    season = _SEASONS.get(offset.rule_code) or _IN_A_YEAR.get(_unit(offset), 1)
    return season // offset.n if season % offset.n == 0 else 1


def kinds_of(frequency: str | None) -> tuple[str, ...]:
    """Return the names of `KINDS` that tell steps of a frequency apart; none of years and of plain numbers.

    Raises:
        UserError: an unknown frequency.
    """
    if frequency is None:
        return ()
    offset = to_offset(frequency)
    if (step := seconds_of(offset)) is not None:
        return (*(("minute_of_hour",) if step < 60 else ()), "hour_of_day", "day_of_week", "day_of_year")
    if offset.rule_code in _SEASONS:
        return ("day_of_week", "day_of_month", "day_of_year")
    return {"W": ("day_of_year",), "M": ("month_of_year",), "Q": ("month_of_year",)}.get(_unit(offset), ())


def feature_names(frequency: str | None, kinds: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return what the columns of `calendar_features` are called: `hour_of_day_sin`, `hour_of_day_cos`, ...

    Raises:
        UserError: an unknown frequency or kind.
    """
    kinds = kinds_of(frequency) if kinds is None else kinds
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("calendar feature", kind, KINDS)
    if kinds and frequency is None:
        raise UserError(f"calendar feature {kinds[0]!r}: plain numbers have no calendar; give dates")
    return tuple(f"{kind}_{wave}" for kind in kinds for wave in ("sin", "cos"))


def calendar_features(
    times: "pd.Index", frequency: str | None, kinds: Sequence[str] | None = None
) -> np.ndarray:
    """Return sine and cosine of where each time stands in cycles of the calendar, (time, 2·kinds) float32.

    With p how far a cycle has gone, from 0 up to 1: sin(2πp), cos(2πp).

    Args:
        times: (time,); of a time zone, the clock on its wall counts.
        frequency: pandas' name; None: plain numbers, which have no features.
        kinds: names of `KINDS`; by default those of `kinds_of(frequency)`.

    Raises:
        UserError: an unknown frequency or kind.
    """
    names = feature_names(frequency, kinds)
    gone = [KINDS[name.removesuffix("_sin")](times) for name in names[::2]]
    angles = 2 * np.pi * np.array(gone, dtype="float64").reshape(len(gone), len(times)).T
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return waves.reshape(len(times), len(names)).astype("float32")


# --- time axes -----------------------------------------------------------------------------------------------


def to_offset(frequency: str) -> "pd.offsets.BaseOffset":
    """Return pandas' offset of a name.

    Raises:
        UserError: pandas does not know the name, or it goes back in time.
    """
    import pandas as pd

    try:
        offset = pd.tseries.frequencies.to_offset(frequency)
    except (ValueError, TypeError):
        offset = None
    if offset is None or offset.n < 1:
        raise UserError(
            f"frequency: {frequency!r} is not a name of pandas; give one such as '15min', 'h', 'D', 'B', 'W-MON', "
            "'MS', 'ME', 'QS-JAN' or 'YE-DEC'"
        )
    return offset


def seconds_of(offset: "pd.offsets.BaseOffset") -> float | None:
    """Return the seconds of an offset that is always as long; None of days and more, which go by the clock."""
    import pandas as pd

    return pd.Timedelta(offset).total_seconds() if isinstance(offset, pd.offsets.Tick) else None


def _unit(offset):
    """Return "W", "M", "Q" or "Y", also of business months, quarters and years."""
    code = offset.rule_code.split("-")[0]
    return code.removeprefix("B").removeprefix("C")[:1]


def alike(one: str | None, other: str | None) -> bool:
    """Return whether two frequencies are the same, or step by as many weeks, months, quarters or years.

    What a week, month, quarter or year begins with may differ: `"W-MON"` and `"W-SUN"`, `"MS"` and `"ME"` are alike.

    Raises:
        UserError: an unknown frequency.
    """
    if one == other or None in (one, other):
        return one == other
    both = [to_offset(each) for each in (one, other)]
    if both[0] == both[1]:  # "60min" is "h"
        return True
    units = [None if seconds_of(each) is not None else _unit(each) for each in both]
    return units[0] in tuple("WMQY") and units[0] == units[1] and both[0].n == both[1].n


def infer_frequency(times: "pd.Index") -> str | int | None:
    """Return the frequency on which three or more rising times lie; None where their steps do not fit one.

    Times may be left out. The frequency is the smallest step found: of times that all begin or all end a month, in
    months, quarters or years; else in weeks, days, or a length of time.

    Args:
        times: (time,) whole numbers, whose step is returned, or dates without a zone.
    """
    import pandas as pd

    if not isinstance(times, pd.DatetimeIndex):
        steps = np.diff(times.to_numpy())
        return None if (steps % steps.min()).any() else int(steps.min())
    steps = times[1:] - times[:-1]
    day, smallest = pd.Timedelta("1D"), steps.min()
    of_day = times - times.normalize()
    if smallest >= 28 * day and (of_day == of_day[0]).all():
        for side, fits in (("S", times.is_month_start), ("E", times.is_month_end)):
            if fits.all():
                return _of_months((times.year * 12 + times.month - 1).to_numpy(), side)
    if (steps % smallest != 0 * day).any():
        return None
    if smallest % (7 * day) == 0 * day:
        return _times_of(smallest // (7 * day), f"W-{times[0]:%a}".upper())
    if smallest % day == 0 * day:
        return _times_of(smallest // day, "D")
    return pd.tseries.frequencies.to_offset(smallest).freqstr


def _of_months(months, side):
    """Return the frequency of numbers of months, counted from year 0, which all begin ("S") or end ("E")."""
    steps = np.diff(months)
    step = int(steps.min())
    if (steps % step).any():
        return None
    month = int(months[0] % 12)
    if step % 12 == 0:
        return _times_of(step // 12, f"Y{side}-{MONTHS[month]}")
    if step % 3 == 0:  # named by the quarter that begins, or ends, the year
        return _times_of(step // 3, f"Q{side}-{MONTHS[month % 3 + (9 if side == 'E' else 0)]}")
    return _times_of(step, f"M{side}")


def _times_of(number, unit):
    return unit if number == 1 else f"{number}{unit}"


def continue_times(times: "pd.Index", frequency: str | None, steps: int) -> "pd.Index":
    """Return the times that follow regular ones, (steps,), in their time zone.

    Steps below a day are as long as they are, whatever the clock does. Days and more go by the clock on the wall: a
    time that it leaps over is moved to where it lands, of one that it passes twice the first is meant.

    Args:
        times: (time,) whole numbers or dates.
        frequency: of the dates; None: the numbers go on by their own step.
        steps: how many.
    """
    import pandas as pd

    if frequency is None:
        first = times[-1] + times.step
        return pd.RangeIndex(first, first + steps * times.step, times.step)
    offset = to_offset(frequency)
    last = clock(times, offset)[-1]
    following = pd.date_range(last, periods=steps + 1, freq=offset, unit=times.unit)[1:]
    return in_zone(following, times.tz, offset)


def clock(times: "pd.DatetimeIndex", offset: "pd.offsets.BaseOffset") -> "pd.DatetimeIndex":
    """Return times without their zone: by the clock on the wall for offsets of days and more, else in UTC.

    A time that the clock moved from the usual time of the day is put back there: where midnight is leapt over, the
    day begins at 1:00.
    """
    if times.tz is None:
        return times
    if seconds_of(offset) is not None:
        return times.tz_convert("UTC").tz_localize(None)
    local = times.tz_localize(None)
    days = local.normalize()
    usual = days + (local - days).value_counts().index[0]
    return local.where(in_zone(usual, times.tz, offset) != times, usual)


def in_zone(times: "pd.DatetimeIndex", zone: object, offset: "pd.offsets.BaseOffset") -> "pd.DatetimeIndex":
    """Return what `clock` took the zone from, in it again; None: no zone."""
    if zone is None:
        return times
    if seconds_of(offset) is not None:
        return times.tz_localize("UTC").tz_convert(zone)
    return times.tz_localize(zone, ambiguous=np.ones(len(times), dtype=bool), nonexistent="shift_forward")
