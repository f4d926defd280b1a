"""The data of the forecasting application: tables of series, ETT, M4, TFDS names, two samples."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from applications.core import backend, sources
from applications.core.sources import Source, SourceError
from applications.forecasting import reader
from applications.forecasting.sample import SAMPLES
from applications.forecasting.sample import frame as read_sample
from zoo.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

START = "2000-01-03"
"""The date of the first value of every series of M4, which tells none: a Monday."""

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Corpus:
    """What is known of one data set of ETT or M4.

    Attributes:
        frequency: pandas' name of the step.
        period: steps in a season.
        horizon: how many values of each series M4 holds back; None: ETT holds back months.
    """

    frequency: str
    period: int
    horizon: int | None = None


ETT = {
    "ETTh1": Corpus("h", 24),
    "ETTh2": Corpus("h", 24),
    "ETTm1": Corpus("15min", 96),
    "ETTm2": Corpus("15min", 96),
}
HORIZONS = (96, 192, 336, 720)
"""The horizons of which the published tables of ETT tell the errors."""
MONTHS = {"train": 12, "validation": 16, "test": 20}
"""The month of 30 days with which each split of ETT ends."""

M4 = {"Hourly": Corpus("h", 24, 48), "Weekly": Corpus("W-MON", 1, 13)}

CORPORA = {"ett": ETT, "m4": M4}
"""The names that this application knows as CORPUS in `CORPUS:PATH`, and the data sets of each."""


@dataclass(frozen=True, eq=False)
class Table:
    """Series in a table of pandas, and how they are to be forecast.

    Attributes:
        frame: the table. Values that were missing are missing; nothing is scaled.
        columns: how `zoo.tasks.read_frame` is told to read it: `time`, `value`, `series` and `frequency`.
        source: what the user named.
        split: its part; None: all of a file.
        names: of the series.
        steps: how many of the last values of each series belong to the split, all before being their history; None:
            that is left to who asks.
        horizons: those that published tables tell errors of; None: that which was trained.
        scaled: whether these tables measure values scaled by mean and standard deviation of the training part.
        period: steps in a season; None: as the frequency says.
        stride: steps between two origins of forecasts.
    """

    frame: "pd.DataFrame"
    columns: dict[str, Any]
    source: str
    split: str | None = None
    names: tuple[str, ...] = ()
    steps: int | None = None
    horizons: tuple[int, ...] | None = None
    scaled: bool = False
    period: int | None = None
    stride: int = 1

    def __len__(self) -> int:
        return len(self.names)


def load(
    source: str,
    split: str | None = None,
    *,
    time: str | None = None,
    value: str | None = None,
    series: str | None = None,
    frequency: str | int | None = None,
    past: Sequence[str] = (),
    known: Sequence[str] = (),
    static: Sequence[str] = (),
) -> Table:
    """Load series.

    A split holds the series up to its end; its own values are the last `steps`, and before them is the history that
    they are forecast from. Which values a table may hold says `zoo.tasks.Panel`, and what a file `reader.read_file`.

    - `FILE`, a table: it has no splits. `builtin` is a sample, `builtin:NAME` one of `SAMPLES`.
    - `ett:PATH` is a folder with ETTh1.csv, ETTm1.csv (plain, .gz, .xz), or one of these files. The splits are 12, 4
      and 4 months of 30 days; what comes after is not used.
    - `m4:PATH` is a folder with Hourly-train.csv, Hourly-test.csv, Weekly-..., in the organisers' layout (folders Train
      and Test, a line of names, rows filled up with empty fields) or without names, or one of these files. `test` is
      the organisers'; `validation` is one horizon before it. The series tell no times: all begin on `START`.
    - `tfds:zoo_ett/...` and `tfds:zoo_m4/...` are the same from TFDS (`applications.forecasting.builder`). Of any other
      TFDS name each example is a row; the features that are read are those named below, or found by name.

    Where a folder holds several data sets, `frequency` chooses.

    Args:
        source: see `applications.core.sources.parse`; the corpora are `CORPORA`.
        split: `train`, `validation` (or `dev`), `test`; for other TFDS names anything that TFDS takes; for files None.
        time: column of the times, of files and other TFDS names; the others know their own.
        value: column of the values.
        series: column of the series' names.
        frequency: pandas' name of the step, or the step of times that are whole numbers. One `zoo.tasks.calendar.alike`
            is taken too: it may be that of a preset, whose weeks begin on another day.
        past: columns of covariates known up to now.
        known: columns of covariates known ahead.
        static: columns of covariates that each series has one number of.

    Raises:
        SourceError: any fault of the source or of the table; an unknown or missing split; a corpus that cannot be told,
            or is cut short.
    """
    where = _parse(source)
    if where.kind != "tfds" or _is_ours(where.value):
        split = sources.split_name(split)
    if where.kind in ("builtin", *CORPORA) and split not in _SPLITS:
        raise sources.no_split(where, split, _SPLITS)
    if str(frequency).isdecimal():
        frequency = int(frequency)
    columns = {"time": time, "value": value, "series": series, "frequency": frequency}
    covariates = {"past": past, "known": known, "static": static}
    with backend.starting():  # Keras comes with the tasks
        from zoo.tasks.panel import read_alike
    try:
        table = _READERS[where.kind](where, split, columns, covariates)
        panel = read_alike(table.frame, **table.columns, **covariates, where=table.source)
    except UserError as fault:
        raise fault if isinstance(fault, SourceError) else SourceError(str(fault)) from None
    return replace(table, names=tuple(panel.names))


def load_training(source: str, *, validation: str | None = None, **options: Any) -> tuple[Table, Table]:
    """Load what a model is trained on, and the same with what it is chosen by.

    The second table goes on where the first one ends: its last `steps` values of each series are for choosing, all
    before are for training. Of a source without such splits both are the whole; how much of it is for choosing is left
    to who fits. A test split is never touched.

    Args:
        source: as for `load`.
        validation: no other source can be given: the end of the series themselves is what a model is chosen by.
        options: columns, as for `load`.

    Raises:
        SourceError: as `load`, or another source to choose by.
    """
    if validation is not None:
        raise SourceError(
            f"validation: {validation}: a model is chosen by the last values of the series that it is trained on; "
            "leave it out"
        )
    names = splits(source)
    training = load(source, "train" if names else None, **options)
    return training, load(source, "validation", **options) if "validation" in names else training


def splits(source: str) -> Sequence[str]:
    """Return the names of the splits that a source has; none of files.

    Of a TFDS name that is not ours it is `train` alone: nothing tells whether another split goes on where that ends.
    """
    where = _parse(source)
    if where.kind == "tfds" and not _is_ours(where.value):
        return [name for name in sources.tfds_splits(where.value) if name == "train"]
    return () if where.kind == "path" else _SPLITS


def _parse(source: str) -> Source:
    """Return where the data comes from."""
    where = sources.parse(source, CORPORA, SAMPLES)
    if where.kind == "files":
        raise SourceError(f"{where}: found two files; give one table, with a column of the series' names")
    return where


def _is_ours(name: str) -> bool:
    return name.partition("/")[0] in ("zoo_ett", "zoo_m4")


# --- readers: of a source, a split, the columns and the covariates that were given ---------------------------


def _table(where: Source, split: str | None, columns: dict[str, Any], _covariates: Any) -> Table:
    from zoo.tasks.panel import SERIES_NAMES

    if split is not None:
        raise SourceError(
            f"{where}: a table has no splits: leave out {split!r}; the last values of each series are forecast from "
            "those before"
        )
    text = SERIES_NAMES if columns["series"] is None else (columns["series"],)
    return Table(reader.read_file(where.value, text), columns, str(where))


def _builtin(where: Source, split: str, *_: Any) -> Table:
    known, frame = SAMPLES[where.value], read_sample(where.value)
    end = len(frame) - known.held * (2 - _SPLITS.index(split))
    return Table(
        frame[:end],
        {"time": "time", "value": where.value, "series": None, "frequency": known.frequency},
        str(where),
        split,
        steps=None if split == "train" else known.held,
        period=known.period,
    )


def _ett(where: Source, split: str, columns: dict[str, Any], _covariates: Any) -> Table:
    _, name, file = _choose(where, columns["frequency"])
    corpus = ETT[name]
    frame, end = reader.read_file(file), MONTHS[split] * _month(corpus)
    if len(frame) < end:
        raise SourceError(
            f"{file}: holds {len(frame):,} times, and {split} ends with the {end:,}th: fetch the file again"
        )
    return _of_corpus(frame[:end], {"time": "date", "value": None, "series": None}, str(where), split, corpus)


def _m4(where: Source, split: str, columns: dict[str, Any], _covariates: Any) -> Table:
    folder, name, file = _choose(where, columns["frequency"])
    values, corpus = _m4_values(file), M4[name]
    if split == "test":
        later = find_file("m4", folder, name, "test")
        if later is None:
            raise SourceError(f"{where}: holds {file.name} and no {name}-test.csv: give the folder of both")
        following = _m4_values(later)
        for one in {**values, **following}:
            found = [len(part.get(one, ())) for part in (values, following)]
            if not found[0] or found[1] != corpus.horizon:
                raise SourceError(
                    f"{later}: series {one!r}: found {found[0]} values to train on and {found[1]} to test, which "
                    f"should be {corpus.horizon}: fetch the files again"
                )
            values[one] = np.concatenate([values[one], following[one]])
    elif short := next((one for one, found in values.items() if len(found) <= corpus.horizon), None):
        raise SourceError(f"{file}: series {short!r}: is too short to hold {corpus.horizon} values back")
    if split == "train":
        values = {one: found[: -corpus.horizon] for one, found in values.items()}
    return _of_corpus(_long(values, START, corpus.frequency), _LONG, str(where), split, corpus)


def _tfds(
    where: Source, split: str | None, columns: dict[str, Any], covariates: Mapping[str, Sequence[str]]
) -> Table:
    if _is_ours(where.value):
        return _our_tfds(where, split)
    from zoo.tasks.panel import SERIES_NAMES, TIME_NAMES, VALUE_NAMES

    roles = {"time": TIME_NAMES, "value": VALUE_NAMES, "series": SERIES_NAMES}
    given = [columns[role] for role in roles if columns[role] is not None]
    wanted = [*given, *(name for names in covariates.values() for name in names)]
    optional = [name for role, names in roles.items() if columns[role] is None for name in names]
    rows = list(sources.read_tfds(where.value, split, wanted, optional))
    if not rows or not rows[0]:
        raise SourceError(f"{where}: found no rows of times and values; name the features that hold them")
    text = SERIES_NAMES if columns["series"] is None else (columns["series"],)
    frame = reader.to_frame({name: [row[name] for row in rows] for name in rows[0]}, str(where), text)
    return Table(frame, columns, str(where), split)


def _our_tfds(where: Source, split: str | None) -> Table:
    """Read what `applications.forecasting.builder` wrote: an example for each series."""
    import tensorflow_datasets as tfds

    from applications.forecasting import builder  # which makes its names known

    names = sources.tfds_splits(where.value)
    if split not in names:
        raise sources.no_split(where, split, _SPLITS)
    found = tfds.builder(where.value)
    rows = sorted(tfds.as_numpy(found.as_dataset(split=split)), key=lambda row: row["series"])
    values = {row["series"].decode(): row["values"] for row in rows}
    corpus = builder.corpus(found)
    frame = _long(values, rows[0]["start"].decode(), corpus.frequency)
    return _of_corpus(frame, _LONG, str(where), split, corpus)


_READERS = {"builtin": _builtin, "ett": _ett, "m4": _m4, "path": _table, "tfds": _tfds}
_LONG = {"time": "time", "value": "value", "series": "series"}


# --- ETT and M4 ----------------------------------------------------------------------------------------------


def _of_corpus(
    frame: "pd.DataFrame", columns: Mapping[str, str | None], source: str, split: str, corpus: Corpus
) -> Table:
    """Return the table of a split, with the protocol of its published figures."""
    of_ett = corpus.horizon is None
    held = (MONTHS["test"] - MONTHS["validation"]) * _month(corpus) if of_ett else corpus.horizon
    return Table(
        frame,
        {**columns, "frequency": corpus.frequency},
        source,
        split,
        steps=None if split == "train" else held,
        horizons=HORIZONS if of_ett else None,
        scaled=of_ett,
        period=corpus.period,
    )


def _month(corpus: Corpus) -> int:
    return 30 * corpus.period  # of ETT, whose season is a day


def find_file(kind: str, folder: Path, name: str, split: str = "train") -> Path | None:
    """Return the file of a data set of a corpus, of M4 that of a split, `train` or `test`; None: there is none."""
    if kind == "ett":
        return sources.find_split(folder, name, ("{0}.csv", "ETT-small/{0}.csv"))
    folders = ("", f"{split.title()}/", f"Dataset/{split.title()}/")
    return sources.find_split(folder, split, [f"{place}{name}-{{0}}.csv" for place in folders])


def _choose(where: Source, frequency: str | int | None) -> tuple[Path, str, Path]:
    """Return the folder of a corpus, the name of the data set that is meant, by file or by frequency, and its file."""
    from zoo.tasks.calendar import alike

    path, known = Path(where.value), CORPORA[where.kind]
    folder = path
    if path.is_file():
        folder = path.parent.parent if path.parent.name in ("Train", "Test") else path.parent
    files = {name: file for name in known if (file := find_file(where.kind, folder, name))}
    if path.is_file():
        files = {name: file for name, file in files.items() if re.split("[-.]", path.name)[0] == name}
    if not files:
        wanted = " or ".join(known)
        raise SourceError(
            f"{where}: found no data of {wanted}; give the folder that holds some, or a file of it"
        )
    chosen = list(files)
    if len(files) > 1:
        chosen = [name for name in files if frequency and alike(known[name].frequency, str(frequency))]
    if len(chosen) != 1:
        told = ", ".join(f"{name} (frequency {known[name].frequency})" for name in files)
        example = f"{where.kind}:{next(iter(files.values()))}"
        raise SourceError(
            f"{where}: holds {told}: choose one by its frequency, or by its file, such as {example}"
        )
    return folder, chosen[0], files[chosen[0]]


def _m4_values(path: Path) -> dict[str, np.ndarray]:
    """Return the values of each series of a file of M4."""
    found = {}
    for number, (name, *cells) in reader.csv_rows(path):
        if not found and name.lower() in ("v1", "id"):
            continue  # the line of names
        while cells and not cells[-1]:  # rows are filled up
            cells.pop()
        try:
            if name in found:
                raise ValueError("it occurs twice")
            found[name] = np.array(cells, dtype="float64")
        except ValueError as fault:
            raise SourceError(
                f"{path}:{number}: series {name[:40]!r}: {fault}; fetch the file again"
            ) from None
    if not found:
        raise SourceError(f"{path}: is empty; fetch the file again")
    return found


def _long(values: Mapping[str, np.ndarray], start: str, frequency: str) -> "pd.DataFrame":
    """Return series as a long table, all of which begin at one time."""
    import pandas as pd

    lengths = [len(found) for found in values.values()]
    times = pd.date_range(start, periods=max(lengths), freq=frequency).to_numpy()
    return pd.DataFrame(
        {
            "series": np.repeat(list(values), lengths),
            "time": np.concatenate([times[:length] for length in lengths]),
            "value": np.concatenate(list(values.values())),
        }
    )
