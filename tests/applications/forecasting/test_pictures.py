"""Pictures of forecasts: files are written, bands and lines are where they belong, any series is drawn."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from applications.forecasting import pictures
from zoo import UserError


def shown(title="sales", horizon=8, times=None, actual=True, levels=(0.8, 0.95)):
    times = pd.date_range("2024-01-01", periods=24 + horizon, freq="h") if times is None else times
    values = np.sin(np.arange(24 + horizon) / 3)
    forecast = values[24:] + 0.1
    return pictures.Shown(
        title,
        times[:24],
        values[:24],
        times[24:],
        forecast,
        {level: (forecast - level, forecast + level) for level in levels},
        values[24:] if actual else None,
    )


def pixels(path):
    return image.imread(path)[..., :3]


def is_colour(path, colour, tolerance=2e-2):
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.abs(pixels(path) - wanted).max(axis=-1) < tolerance


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_formats(suffix, tmp_path):
    path = pictures.forecasts([shown()], tmp_path / f"a{suffix}")
    assert path.stat().st_size > 2000
    assert suffix in pictures.SUFFIXES


def test_the_forecast_follows_the_series(tmp_path):
    one = shown(levels=(), actual=False)
    path = pictures.forecasts([one], tmp_path / "a.png")
    orange, ink = (
        np.flatnonzero(is_colour(path, colour)[80:].sum(axis=0)) for colour in ("#d5692a", "#22272e")
    )
    assert orange.max() > ink.max()
    assert np.median(orange) > np.median(ink)


def test_svg_holds_a_band_for_each_level(tmp_path):
    text = pictures.forecasts([shown()], tmp_path / "a.svg").read_text("utf-8")
    assert len(re.findall(r'<g id="FillBetweenPolyCollection_\d+"|<g id="PolyCollection_\d+"', text)) == 2


def test_pictures_grow_with_the_series_up_to_a_limit(tmp_path):
    heights = []
    for count in (1, 2, 3, 6, 9):
        path = pictures.forecasts([shown(str(place)) for place in range(count)], tmp_path / f"{count}.png")
        heights.append(pixels(path).shape[0])
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]


@pytest.mark.parametrize(
    "times",
    [
        pd.RangeIndex(0, 64, 2),
        pd.date_range("2024-03-30", periods=32, freq="h", tz="Europe/Berlin"),
        pd.date_range("1700-01-01", periods=32, freq="YS"),
        pd.date_range("2024-01-31", periods=32, freq="ME"),
    ],
)
def test_any_times(times, tmp_path):
    pictures.forecasts([shown(times=times)], tmp_path / "a.png")


@pytest.mark.parametrize("title", ["$x_1^", "これは", "\ud800", "W" * 300, ""])
def test_any_title(title, tmp_path):
    pictures.forecasts([shown(title), shown(title)], tmp_path / "a.png", more=3)


def test_missing_values_and_a_constant_series(tmp_path):
    one = shown()
    one.past[3:9] = np.nan
    one.actual[:] = np.nan
    flat = shown()
    flat.past[:] = 5
    pictures.forecasts([one, flat], tmp_path / "a.png")


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.xyz: no picture format '\.xyz'"):
        pictures.forecasts([shown()], tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []


def test_steps_and_levels(tmp_path):
    shares = {"coverage_80": 0.8, "coverage_95": 0.9}
    rows = [
        {"step": step, "low": -step, "median": 0.0, "high": step, "mae": step / 2, **shares}
        for step in range(1, 13)
    ]
    errors = pictures.errors([*rows, {"step": 13}], tmp_path / "errors.png")
    assert is_colour(errors, "#2b6cb0").any()
    assert is_colour(errors, "#d5692a").any()
    pictures.coverage([*rows, {"step": 13}], (0.8, 0.95), tmp_path / "coverage.png")
    pictures.errors(rows[:1], tmp_path / "one.png")
    even = [{"level": level / 10, "coverage": level / 10} for level in range(1, 10)]
    blue = is_colour(pictures.reliability(even, tmp_path / "even.png"), "#2b6cb0")
    rows, columns = np.nonzero(blue)
    assert np.corrcoef(rows, columns)[0, 1] < -0.99  # on the diagonal
