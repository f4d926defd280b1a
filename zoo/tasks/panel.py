"""Series from pandas' tables onto regular time axes, and forecasts back into tables of the same layout."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from zoo.errors import UserError, unknown
from zoo.tasks.calendar import (
    alike,
    clock,
    continue_times,
    in_zone,
    infer_frequency,
    season_of,
    to_offset,
)

if TYPE_CHECKING:
    import pandas as pd

TIME_NAMES = ("time", "date", "datetime", "ds", "timestamp")
VALUE_NAMES = ("value", "y")
SERIES_NAMES = ("series", "unique_id", "id")

LARGEST = 1e30
"""The largest value that is taken: no unit calls for more, and float32 ends at 3e38."""

YEARS = (1678, 2261)
"""The years that pandas counts in nanoseconds."""

_YEAR_LAST = r"^\s*(\d{1,2})([./-])(\d{1,2})[./-](\d{4})(?!\d)(.*)$"
_SPARSE = 100  # steps for each row, from which on a date or the frequency must be wrong
_DAYS_SEEN = 14  # without one of a weekend, from which on there are none


def _carried(values):
    """Return values (time, ...) with NaN replaced by what was there before; those at the beginning stay."""
    rows = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    return np.take_along_axis(
        values, np.maximum.accumulate(np.where(np.isnan(values), 0, rows), axis=0), axis=0
    )


def _between(values):
    """Return values (time,) with NaN replaced by the line between neighbours, at the end by the last."""
    seen = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), seen, values[seen])


MISSING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "keep": lambda values: values,
    "refuse": lambda values: values,
    "zero": lambda values: np.where(np.isnan(values), 0.0, values),
    "previous": _carried,
    "linear": _between,
}
"""What is done with missing values between the first and the last time of a series: `"keep"` leaves NaN to a mask."""


@dataclass(frozen=True)
class Layout:
    """How a table looked, so that the answer can look the same.

    Attributes:
        kind: `"long"`, a row for each time of each series; `"wide"`, a column for each series; `"single"`.
        time: the column of the times, or the name of the index that holds them.
        in_index: whether the index holds them.
        series: the column of the series' names, of `"long"`.
        periods: pandas' frequency of times that are periods; None: points in time, or numbers.
    """

    kind: str
    time: Hashable
    in_index: bool = False
    series: Hashable = None
    periods: str | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """Series on regular time axes, read from a table by `read_frame` and answered by `answer`.

    What a table may hold, and what is made of it; all that is refused is told by column, series and row:

    | found in the table | rule |
    |---|---|
    | no rows, no such column, two columns of a name, two that would do | refused |
    | NaN or None as value | missing: counted, then as `missing` says; at the beginning of a series left out |
    | inf, text, booleans, values beyond 1e30 | refused |
    | a series without any value | refused |
    | a series of one value over and over | taken |
    | rows in any order | sorted by time |
    | a time twice in a series | refused; of an hour told twice where clocks change, times need their zone |
    | times left out | put in as missing, unless they would be more than a hundred times the rows |
    | no common frequency of the steps, or of the series | refused, with both steps named |
    | fewer than three rows in each series | refused unless `frequency` is given |
    | text as dates | year first (ISO 8601); day and month first where dots, or a number above 12, say which |
    | dates that are none, or before 1678 or after 2261 | refused |
    | whole numbers as times | counted on by their step, without a calendar; broken numbers are refused |
    | dates of a time zone | kept; steps below a day are of equal length, days and more go by the clock |
    | offsets from UTC that differ, or zones | taken as points in time, in UTC; with and without zone: refused |
    | local time without zone where clocks go forward | the hour that is left out is missing |
    | a covariate known up to now without value | takes the one before it, at the beginning the first |
    | a covariate known ahead, or a static one, without value | refused; in times left out: the one before |
    | a static covariate that changes within a series | refused |
    | rows behind the last value, with covariates known ahead | the future: `known` holds them, `values` not |
    | columns that no argument names | of wide tables series; else left out |

    Attributes:
        names: of the series, as text; a long table's in the order of the alphabet, a wide one's in its own.
        labels: what the table calls them.
        times: for each series its (time,) `DatetimeIndex`, in its zone, or `RangeIndex`.
        values: for each series its (time,) float64; NaN where it is missing.
        missing: for each series how many values were missing.
        layout: how the table looked.
        frequency: pandas' name of the step, such as `"h"`; None: times are plain numbers.
        past: for each series (time, covariates) float64, known up to now; None: there are none.
        known: for each series (time and later, covariates) float64, known ahead; None: there are none.
        static: (series, covariates) float64; None: there are none.
    """

    names: list[str]
    labels: list[Hashable]
    times: list["pd.Index"]
    values: list[np.ndarray]
    missing: list[int]
    layout: Layout
    frequency: str | None = None
    past: list[np.ndarray] | None = None
    known: list[np.ndarray] | None = None
    static: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def period(self) -> int:
        """The steps of the season that this frequency most often has (see `season_of`)."""
        return season_of(self.frequency)

    def numbers(self, trained: Sequence[str]) -> np.ndarray:
        """Return for each series its number among those of a training, from 1 on; 0 for a new one; (series,) int32."""
        places = {name: place for place, name in enumerate(trained, 1)}
        return np.array([places.get(name, 0) for name in self.names], dtype="int32")

    def select(self, names: Sequence[str]) -> Self:
        """Return the panel of some of the series, in the order of `names`.

        Raises:
            UserError: a series that the table does not hold.
        """
        places = {name: place for place, name in enumerate(self.names)}
        for name in names:
            if name not in places:
                raise unknown("series", name, self.names)
        chosen = [places[name] for name in names]
        lists = {
            name: [found[place] for place in chosen]
            for name, found in vars(self).items()
            if isinstance(found, list)
        }
        return replace(self, **lists, static=None if self.static is None else self.static[chosen])


def read_frame(
    frame: "pd.DataFrame | pd.Series",
    *,
    time: Hashable | None = None,
    value: Hashable | None = None,
    series: Hashable | None = None,
    frequency: str | int | None = None,
    past: Sequence[Hashable] | str = (),
    known: Sequence[Hashable] | str = (),
    static: Sequence[Hashable] | str = (),
    missing: str = "keep",
    where: str = "fit",
) -> Panel:
    """Return the series of a table; `Panel` says by which rules.

    A table is long if it has a column of series' names, single if it has one column of values, or is a `Series`, and
    else wide. Columns that are not named are looked for: the times in `TIME_NAMES`, in the one column of dates, in an
    index of dates; the values in `VALUE_NAMES` or the one column of numbers that is left; the series in `SERIES_NAMES`.

    Args:
        frame: the table. Messages name its rows by its index, such as `row 3`, or `line 3` if the index is called so.
        time: column of the times.
        value: column of the values; of wide tables None.
        series: column of the series' names.
        frequency: pandas' name of the step (of whole numbers, the step); None: the smallest step that is found.
        past: columns of covariates known up to now; of wide tables, all series share them, `known` too.
        known: columns of covariates known ahead: further rows, without values, hold the future.
        static: columns of covariates that each series has one number of; of wide tables none.
        missing: a name of `MISSING`: what becomes of missing values; `"refuse"` has none.
        where: what the messages begin with.

    Raises:
        UserError: what the table of `Panel` calls refused, or an unknown column, frequency or `missing`.
    """
    if missing not in MISSING:
        raise unknown("missing", missing, MISSING)
    given = {"past": past, "known": known, "static": static}
    roles = {role: [names] if isinstance(names, str) else list(names) for role, names in given.items()}
    return _Reader(frame, where).panel(time, value, series, frequency, roles, missing)


def columns_in(frame: "pd.DataFrame | pd.Series", learned: Mapping[str, Any]) -> dict[str, Any]:
    """Return how `read_frame` is to read a table for who has learned from another one.

    Args:
        frame: the table.
        learned: the arguments of `read_frame` by which the other one was read.

    Returns:
        The same, without those of `time`, `value` and `series` that this table does not have: they are looked for.
    """
    there = getattr(frame, "columns", ())
    roles = ("time", "value", "series")
    return {**learned, **{role: learned[role] if learned[role] in there else None for role in roles}}


def read_alike(frame: "pd.DataFrame | pd.Series", frequency: str | int | None, **options: Any) -> Panel:
    """Return the series of a table of a frequency that was learned, or of one `zoo.tasks.calendar.alike`.

    Args:
        frame: as in `read_frame`.
        frequency: that was learned.
        options: further arguments of `read_frame`.

    Raises:
        UserError: as `read_frame`, for the frequency that was learned.
    """
    try:
        return read_frame(frame, frequency=frequency, **options)
    except UserError as fault:
        try:
            panel = read_frame(frame, **options)
        except UserError:
            panel = None
        if panel is None or panel.frequency == frequency or not alike(panel.frequency, frequency):
            raise fault from None
        return panel


def answer_columns(levels: Sequence[float] = ()) -> tuple[str, ...]:
    """Return the names of a forecast and of its intervals: `forecast`, `lower_80`, `upper_80`, ... of `(0.8,)`."""
    return ("forecast", *(f"{side}_{100 * level:g}" for level in levels for side in ("lower", "upper")))


def answer(panel: Panel, arrays: np.ndarray, columns: Sequence[str] = ("forecast",)) -> "pd.DataFrame":
    """Return forecasts as a table of the layout of the panel's; its times go on from each series' own.

    A long answer has the columns of the series' names and of the times, then `columns`; a single one those of the
    times and `columns`. A wide one has a column for each series, of its name, with the first of `columns`, so that it
    can be put below the table; behind it the others: `lower_80` of `load` is `load_lower_80`. Times that were in the
    index are in the index.

    Args:
        panel: the series that were forecast.
        arrays: (series, horizon) or (series, horizon, columns).
        columns: what was forecast, such as `answer_columns((0.8, 0.95))`.

    Raises:
        UserError: two columns of the answer would have the same name.
    """
    import pandas as pd

    arrays = np.asarray(arrays)
    arrays = arrays.reshape(*arrays.shape[:2], len(columns))
    layout, horizon = panel.layout, arrays.shape[1]
    following = [continue_times(times, panel.frequency, horizon) for times in panel.times]
    if layout.periods is not None:
        following = [times.to_period(layout.periods) for times in following]
    if layout.kind == "long":
        times, stacked = following[0].append(following[1:]), arrays.reshape(-1, len(columns))
        found = [(layout.series, pd.Index(panel.labels).repeat(horizon))]
        found += zip(columns, stacked.T, strict=True)
    elif layout.kind == "wide":
        times = following[0]
        found = [
            (label if place == 0 else f"{label}_{column}", arrays[number, :, place])
            for number, label in enumerate(panel.labels)
            for place, column in enumerate(columns)
        ]
    else:
        times, found = following[0], list(zip(columns, arrays[0].T, strict=True))
    if not layout.in_index:
        found.insert(1 if layout.kind == "long" else 0, (layout.time, times))
    names = [name for name, _ in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(
            f"forecast: two columns of the answer would be called {twice!r}; rename it in the table"
        )
    index = times.rename(layout.time) if layout.in_index else None
    return pd.DataFrame(dict(found), index=index)


# --- reading -------------------------------------------------------------------------------------------------


class _Reader:
    """One table on its way to a panel."""

    def __init__(self, frame, where):
        import pandas as pd

        self.where = where
        self.owners = None  # for each row the label of its series, in long tables
        self.time = None  # the column of the times; None: the index holds them
        self.alone = isinstance(frame, pd.Series)
        if self.alone:
            frame = frame.to_frame("value" if frame.name is None else frame.name)
        if not isinstance(frame, pd.DataFrame):
            raise self.fail(f"found {type(frame).__name__}; give a DataFrame or a Series of pandas")
        self.frame = frame
        self.dated_index = isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex)
        if isinstance(frame.index, pd.MultiIndex) or isinstance(frame.columns, pd.MultiIndex):
            raise self.fail(
                "rows or columns have several levels; reset_index() makes columns of those of rows"
            )
        if not len(frame):
            raise self.fail("the table has no rows; give some of each series")
        if twice := list(frame.columns[frame.columns.duplicated()]):
            raise self.fail(f"there are several columns called {twice[0]!r}; rename or drop one")

    def fail(self, fault, column=None, row=None):
        """Return the error for a fault, told with its remedy, of a column, and of a row by its place."""
        told = [self.where]
        if column is not None:
            told.append(f"column {column!r}")
        if row is not None:
            if self.owners is not None:
                told.append(f"series {str(self.owners[row])!r}")
            index = self.frame.index
            told.append(str(index[row]) if self.dated_index else f"{index.name or 'row'} {index[row]}")
        return UserError(f"{', '.join(told)}: {fault}")

    def none(self, odd, fault, column, rows=None):
        """Raise the error for the first place where `odd`.

        Args:
            odd: (places,) booleans.
            fault: what is wrong, or a function from the place to that.
            column: where.
            rows: (places,) of the table; None: they are the places.
        """
        for place in np.flatnonzero(odd)[:1]:
            fault = fault if isinstance(fault, str) else fault(place)
            raise self.fail(fault, column, place if rows is None else rows[place])

    # --- which column is which

    def panel(self, time, value, series, frequency, roles, missing):
        """Return the panel; the arguments are those of `read_frame`."""
        covariates = [name for names in roles.values() for name in names]
        named = [*covariates, *(name for name in (time, value, series) if name is not None)]
        for place, name in enumerate(named):
            if name not in self.frame.columns:
                raise self.fail(f"there is no column {name!r}; {self._columns()}")
            if name in named[:place]:
                raise self.fail("two arguments name it; a column has one part to play", name)
        free = [name for name in self.frame.columns if name not in named]
        self.time = self._time_column(free) if time is None else time
        free = [name for name in free if name != self.time]
        series = self._called(free, SERIES_NAMES, "series") if series is None else series
        free = [name for name in free if name != series]
        if value is None:
            value = self._value_column(free, series)
        kind = "long" if series is not None else "wide" if value is None else "single"
        columns = free if kind == "wide" else [value]
        if kind == "wide" and roles["static"]:
            raise self.fail("static covariates need a table with a column of series", roles["static"][0])
        times, periods = self._times()
        in_index = self.time is None
        layout = Layout(kind, self.frame.index.name if in_index else self.time, in_index, series, periods)
        return self._assemble(self._groups(times, series), times, columns, frequency, roles, missing, layout)

    def _columns(self):
        names = [repr(name) for name in self.frame.columns]
        return f"the columns are {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"

    def _called(self, free, names, role):
        """Return the one free column that has one of these names, or None."""
        found = [name for name in free if str(name).lower() in names]
        if len(found) > 1:
            raise self.fail(
                f"{found[0]!r} and {found[1]!r} may both be the {role}; give {role}=; {self._columns()}"
            )
        return found[0] if found else None

    def _time_column(self, free):
        """Return the column of the times; None if the index holds them."""
        import pandas as pd

        if self.alone:
            return None
        if (name := self._called(free, TIME_NAMES, "time")) is not None or self.dated_index:
            return name
        types = [self.frame[name].dtype for name in free]
        dates = [
            n for n, t in zip(free, types, strict=True) if t.kind == "M" or isinstance(t, pd.PeriodDtype)
        ]
        if len(dates) != 1:
            raise self.fail(f"no column is known to hold the times; give time=; {self._columns()}")
        return dates[0]

    def _value_column(self, free, series):
        """Return the column of the values; None if each column is a series."""
        name = self._called(free, VALUE_NAMES, "value")
        if series is not None:
            numbers = [name for name in free if self.frame[name].dtype.kind in "iuf"]
            if name is None and len(numbers) != 1:
                raise self.fail(f"no column is known to hold the values; give value=; {self._columns()}")
            return numbers[0] if name is None else name
        if not free:
            raise self.fail(f"there is no column of values; {self._columns()}")
        if name is not None and len(free) > 1:
            raise self.fail(
                f"{name!r} may be the only series or one of several; give value={name!r}, or drop or rename columns; "
                f"{self._columns()}"
            )
        return free[0] if len(free) == 1 else None

    # --- times

    def _times(self):
        """Return the time of each row, dates or whole numbers, and the frequency of periods."""
        import pandas as pd
        from pandas.api import types

        found = self.frame.index if self.time is None else pd.Index(self.frame[self.time])
        found, periods = found.infer_objects().rename(None), None
        self.none(found.isna(), "there is no time; fill it in or drop the row", self.time)
        if isinstance(found, pd.PeriodIndex):
            found, periods = found.to_timestamp(), found.freqstr
        if types.is_bool_dtype(found):
            raise self.fail("found booleans; times are dates or whole numbers", self.time, 0)
        if types.is_numeric_dtype(found):
            numbers = found.to_numpy("float64")
            whole = (np.abs(numbers) < 2**53) & (np.floor(numbers) == numbers)
            self.none(
                ~whole, lambda p: f"found the time {numbers[p]}; give whole numbers, or dates", self.time
            )
            return found.astype("int64"), periods
        if not isinstance(found, pd.DatetimeIndex):
            found = self._dates(pd.Index([_as_text(item) for item in found], dtype="str"))
        years = f"times lie from {YEARS[0]} to {YEARS[1]}: mend it or drop the row"
        self.none(
            (found.year < YEARS[0]) | (found.year > YEARS[1]),
            lambda place: f"found the year {found.year[place]}; {years}",
            self.time,
        )
        return found.as_unit("us") if found.unit in ("s", "ms") else found, periods

    def _dates(self, text):
        """Return the dates that are written."""
        import pandas as pd

        text = self._year_first(text)
        try:
            return pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601"))
        except ValueError:  # some are no dates, or their offsets from UTC differ
            dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
        self.none(
            dates.isna(),
            lambda place: f"{text[place][:40]!r} is no date; write it as 2024-01-31 or 2024-01-31 13:00",
            self.time,
        )
        zoned = text.str.contains(r"[T ]\d\d.*(?:Z|[+-]\d\d:?(?:\d\d)?)$")
        self.none(
            zoned != zoned[0],
            lambda place: f"of {text[place]!r} and {text[0]!r} one has a time zone; give all or none a zone",
            self.time,
        )
        return dates

    def _year_first(self, text):
        """Return texts such as 31.01.2024 with the year first; others as they are."""
        import pandas as pd

        if not re.match(_YEAR_LAST, text[0]):
            return text
        parts = text.str.extract(_YEAR_LAST)
        self.none(
            parts[0].isna(),
            lambda place: (
                f"{text[place][:40]!r} is not written as {text[0][:40]!r}; write the year first: 2024-01-31"
            ),
            self.time,
        )
        first, second = (parts[place].astype(int) for place in (0, 2))
        if not ((parts[1] == ".").all() or first.max() > 12 or second.max() > 12):
            raise self.fail(
                f"{text[0]!r} may begin with the day or the month; write the year first: 2024-01-31",
                self.time,
                0,
            )
        day, month = (2, 0) if second.max() > 12 else (0, 2)
        return pd.Index(parts[3] + "-" + parts[month].str.zfill(2) + "-" + parts[day].str.zfill(2) + parts[4])

    # --- series and their time axes

    def _groups(self, times, series):
        """Return label and rows, in the order of time, of all that has a time axis of its own.

        That is a series, by the order of the names; where no column holds these, the table, with the label None.
        """
        import pandas as pd

        ranks = times.factorize(sort=True)[0]
        if series is None:
            groups = [(None, np.argsort(ranks, kind="stable"))]
        else:
            labels = self.frame[series]
            self.none(labels.isna(), "there is no name of a series; fill it in or drop the row", series)
            if labels.dtype.kind == "f" and (labels % 1 == 0).all():
                labels = labels.astype("int64")  # whole numbers that once stood beside a gap
            self.owners = labels.to_numpy()
            codes, found = pd.factorize(self.owners)
            order = np.lexsort((ranks, codes))
            rows = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
            groups = sorted(zip(found.tolist(), rows, strict=True), key=lambda group: str(group[0]))
            for (one, _), (other, _) in pairwise(groups):
                if str(one) == str(other):
                    raise self.fail(f"two series are called {str(one)!r}; rename one", series)
        for _, rows in groups:
            ordered = times[rows]
            twice = ordered[1:] == ordered[:-1]
            self.none(twice, lambda p, t=ordered: _twice(t, p, series is not None), self.time, rows[1:])
        return groups

    def _frequency(self, groups, times, frequency):
        """Return pandas' offset, or the step of whole numbers, and the times without their zone."""
        import pandas as pd

        dated = isinstance(times, pd.DatetimeIndex)
        if frequency is not None:
            if dated == isinstance(frequency, Integral) or (not dated and frequency < 1):
                fit = "dates: give a name of pandas, such as 'h'" if dated else "numbers: give their step"
                raise self.fail(f"frequency: {frequency!r} does not fit times that are {fit}")
            offset = to_offset(frequency) if dated else frequency
            return offset, clock(times, offset) if dated else times
        told = [group for group in groups if len(group[1]) >= 3]
        if not told:
            fault = "one or two rows do not tell how far times are apart; give frequency=, such as 'h'"
            raise self.fail(fault, self.time, groups[0][1][0])
        if dated:  # days by the clock on the wall, which may have 23 hours
            smallest = min((times[rows[1:]] - times[rows[:-1]]).min() for _, rows in told)
            times = clock(times, to_offset("D" if smallest >= pd.Timedelta("23h") else "h"))
        steps = [infer_frequency(times[rows]) for _, rows in told]
        for (_, rows), step in zip(told, steps, strict=True):
            if step is None:
                raise self._irregular(times[rows], rows)
            if step != steps[0]:
                raise self.fail(
                    f"its step is {step!r}, that of series {str(told[0][0])!r} {steps[0]!r}; read them apart, or give "
                    "frequency=",
                    self.time,
                    rows[0],
                )
        if not dated:
            return steps[0], times
        worked = (times.day_of_week < 5).all() and (times.max() - times.min()).days >= _DAYS_SEEN
        return to_offset("B" if worked and steps[0] == "D" else steps[0]), times

    def _irregular(self, ordered, rows):
        """Return the error for steps that do not fit one frequency: the smallest, and the first beside it."""
        steps = ordered[1:] - ordered[:-1]
        least = steps.argmin()
        odd = np.flatnonzero(steps % steps[least] != steps[least] * 0)
        odd = odd[0] if odd.size else steps.argmax()
        return self.fail(
            f"from {ordered[odd]} to {ordered[odd + 1]} is a step of {_length(steps[odd])}, from {ordered[least]} to "
            f"{ordered[least + 1]} one of {_length(steps[least])}: no frequency fits both; bring the times onto a "
            "grid, such as by resample()",
            self.time,
            rows[odd + 1],
        )

    def _axis(self, rows, times, offset):
        """Return the regular times of a group, without their zone, and the place of each of its rows there."""
        import pandas as pd

        ordered = times[rows]
        first, last = ordered[0], ordered[-1]
        if dated := isinstance(times, pd.DatetimeIndex):
            begin = pd.date_range(first, periods=2, freq=offset, unit=times.unit)
            step = begin[1] - begin[0]
        else:
            begin, step = [first], offset
        name = offset.freqstr if dated else offset
        off = f"is no time of the frequency {name!r}; mend it, or give another frequency="
        self.none([begin[0] != first], lambda _: f"{first} {off}", self.time, rows)
        if (last - first) / step > _SPARSE * (len(ordered) + 10):
            raise self.fail(
                f"from {first} to {last} there are {len(ordered)} rows for {(last - first) / step:.0f} steps of "
                f"{_length(step)}; mend a date, or give a longer frequency=",
                self.time,
                rows[-1],
            )
        axis = (
            pd.date_range(first, last, freq=offset, unit=times.unit)
            if dated
            else pd.RangeIndex(int(first), int(last) + 1, int(offset))
        )
        places = axis.get_indexer(ordered)
        self.none(places < 0, lambda place: f"{ordered[place]} {off}", self.time, rows)
        return axis, places

    # --- numbers

    def _numbers(self, column):
        """Return a column as (rows,) float64, NaN where nothing is."""
        from pandas.api import types

        found = self.frame[column]
        if types.is_object_dtype(found) or types.is_string_dtype(found):
            number = found.map(lambda item: isinstance(item, Real | Decimal) and not isinstance(item, bool))
            self.none(
                ~number.astype(bool) & found.notna(),
                lambda row: f"found {str(found.iloc[row])[:40]!r} where a number should be; mend it",
                column,
            )
            held = [item if abs(item) <= LARGEST else np.inf for item in found.where(found.notna(), 0)]
            numbers = np.where(found.isna(), np.nan, np.array(held, dtype="float64"))
        elif types.is_numeric_dtype(found) and found.dtype.kind in "iuf":
            numbers = found.to_numpy("float64", na_value=np.nan)
        else:
            raise self.fail(f"found {found.dtype}; give numbers", column, 0)
        self.none(
            np.abs(numbers) > LARGEST,
            lambda row: (
                f"found {found.iloc[row]}; numbers lie within ±{LARGEST:g}: mend it, or leave it empty"
            ),
            column,
        )
        return numbers

    def _assemble(self, groups, times, columns, frequency, roles, missing, layout):
        """Return the panel of the series of all groups."""
        import pandas as pd

        zone = getattr(times, "tz", None)
        offset, times = self._frequency(groups, times, frequency)
        dated = isinstance(times, pd.DatetimeIndex)
        past, known, static = roles.values()
        numbers = {name: self._numbers(name) for name in (*columns, *past, *known, *static)}
        found = {name: [] for name in ("labels", "times", "values", "missing", *roles)}
        for label, rows in groups:
            axis, places = self._axis(rows, times, offset)
            on_axis = {name: np.full(len(axis), np.nan) for name in numbers}
            for name, spread in on_axis.items():
                spread[places] = numbers[name][rows]
            before, ahead, own = self._covariates(roles, numbers, on_axis, rows)
            for column in columns:
                self.none(
                    [np.isnan(on_axis[column]).all()], "there is no value; leave the series out", column, rows
                )
            observed = ~np.isnan([on_axis[column] for column in columns])
            end = 1 + np.flatnonzero(observed.any(axis=0))[-1] if known else len(axis)
            for column, seen in zip(columns, observed, strict=True):
                begin = seen.argmax()
                values, kept = on_axis[column][begin:end], axis[begin:end]
                absent = np.flatnonzero(~seen[begin:end])
                if absent.size and missing == "refuse":
                    row = rows[np.searchsorted(places, begin + absent[0], "right") - 1]  # before a gap
                    fault = f"there is no value at {kept[absent[0]]}; fill it in, or give missing='keep'"
                    raise self.fail(fault, column, row)
                found["labels"].append(column if label is None else label)
                found["times"].append(in_zone(kept, zone, offset) if dated else kept)
                found["values"].append(MISSING[missing](values))
                found["missing"].append(len(absent))
                found["past"].append(before[begin:end])
                found["known"].append(ahead[begin:])
                found["static"].append(own)
        found["static"] = np.array(found["static"])
        found |= {role: None for role, names in roles.items() if not names}
        names = [str(label) for label in found["labels"]]
        return Panel(names, **found, layout=layout, frequency=offset.freqstr if dated else None)

    def _covariates(self, roles, numbers, on_axis, rows):
        """Return covariates of a group, without NaN: past and known ones (time, covariates), and static ones."""
        lacking = "there is no value; fill it in, this covariate must be known"
        for name in roles["past"]:
            fault = "there is no value at all; leave the covariate out"
            self.none([np.isnan(on_axis[name]).all()], fault, name, rows)
        for name in (*roles["known"], *roles["static"]):
            self.none(np.isnan(numbers[name][rows]), lacking, name, rows)
        for name in roles["static"]:
            own = numbers[name][rows]
            self.none(
                own != own[0],
                lambda place, own=own: (
                    f"found {own[place]:g} after {own[0]:g}; what changes is no static covariate"
                ),
                name,
                rows,
            )
        length = len(next(iter(on_axis.values())))
        past, known = (
            _carried(np.array([on_axis[name] for name in roles[role]]).reshape(-1, length).T)
            for role in ("past", "known")
        )
        return _carried(past[::-1])[::-1], known, [numbers[name][rows[0]] for name in roles["static"]]


def _twice(ordered, place, told):
    """Return the fault of a time that follows itself; a doubled hour of a night may be one of a clock change.

    Args:
        ordered: the times of a series.
        place: of the one before.
        told: whether a column tells the series.
    """
    import pandas as pd

    doubled = ordered[1:][ordered[1:] == ordered[:-1]]
    fault = f"the time {ordered[place]} stands twice; keep one of the rows"
    local = isinstance(ordered, pd.DatetimeIndex) and ordered.tz is None
    if local and doubled.is_unique and (doubled.hour <= 3).all() and (ordered != ordered.normalize()).any():
        fault += ", or give times their zone if this is the hour that clocks repeat when they change"
    return fault if told else f"{fault}, or name the column that tells the series apart"


def _length(step):
    """Return how long a step is, as text."""
    return str(step).removeprefix("0 days ")


def _as_text(item):
    """Return what a column of dates holds as text."""
    return item if isinstance(item, str) else item.isoformat() if hasattr(item, "isoformat") else repr(item)
