import json

import numpy as np
import pytest

from zoo.errors import UserError
from zoo.preprocessing import SeriesPreprocessor
from zoo.presets import PresetError

COLUMNS = {
    **dict.fromkeys(("time", "value", "series")),
    "past": ["wind"],
    "known": [],
    "static": ["size", 3],
    "missing": "keep",
}
VALUES = [np.array([1.0, 3, np.nan, 8]), np.array([5.0, 5, 5]), np.array([2.0, 4])]
NAMES = ["a", "b", "c"]


def made(scaling="standard"):
    one = SeriesPreprocessor(scaling, columns=COLUMNS, frequency="h", calendar=("hour_of_day",))
    assert one.learn(NAMES, VALUES) == 3
    return one


@pytest.mark.parametrize(
    ("scaling", "scales"),
    [
        ("standard", [(4, np.std([1, 3, 8])), (5, 5), (3, 1)]),
        ("mean", [(0, 4), (0, 5), (0, 3)]),
        ("log", [(np.log(24) / 3, 1), (np.log(5), 1), (np.log(8) / 2, 1)]),
        (
            "asinh",
            [
                (np.arcsinh([25, 75, 200]).mean(), 0.04),
                (np.arcsinh(100), 0.05),
                (np.arcsinh([200 / 3, 400 / 3]).mean(), 0.03),
            ],
        ),
        ("none", [(0, 1)] * 3),
    ],
)
def test_scales(scaling, scales):
    one = made(scaling)
    np.testing.assert_allclose(one.scales, scales)
    for name, values, scale in zip(NAMES, VALUES, one.scales, strict=True):
        x = one.scaled(name, values, scale)
        expected = ((np.log(values) if scaling == "log" else values) - scale[0]) / scale[1]
        if scaling == "asinh":
            expected = np.arcsinh(values / scale[1]) - scale[0]
        np.testing.assert_allclose(x, expected)
        back = one.restored(np.stack([x, x]), np.stack([scale, scale]))
        np.testing.assert_allclose(back, [values, values])
        np.testing.assert_allclose(one.restored(x[None, :, None], scale[None])[0, :, 0], values)


def test_scales_of_constant_and_empty_series():
    one = SeriesPreprocessor("standard", columns=COLUMNS)
    one.learn(["zero", "none", "tiny"], [np.zeros(3), np.full(3, np.nan), np.full(9, 0.1) + 1e-17])
    np.testing.assert_allclose(one.scales, [(0, 1), (0, 1), (0.1, 0.1)])


def test_series_of_training_keep_their_scale():
    one = made()
    before = one.scales.copy()
    other = [np.array([100.0, 300]), np.array([7.0, 9])]
    np.testing.assert_allclose(one.scales_of(["d", "a"], other), [(200, 100), before[0]])
    assert one.learn(["d", "a"], other) == 1
    assert one.names == ["a", "b", "c", "d"]
    np.testing.assert_allclose(one.scales, [*before, (200, 100)])


def test_logarithm_needs_positive_values():
    one = SeriesPreprocessor("log", columns=COLUMNS)
    with pytest.raises(UserError, match="series 'b': found -2"):
        one.learn(["a", "b"], [np.ones(2), np.array([1.0, np.nan, -2])])
    with pytest.raises(UserError, match="series 'a': found 0"):
        one.scaled("a", np.array([1.0, 0]), np.array([0.0, 1]))


def test_asinh_takes_values_of_any_sign():
    one = SeriesPreprocessor("asinh", columns=COLUMNS)
    values = [np.array([-3.0, 0, 0.001, 1e9]), np.zeros(2)]
    one.learn(["a", "zero"], values)
    for name, y, scale in zip(one.names, values, one.scales, strict=True):
        x = one.scaled(name, y, scale)
        assert (np.diff(x) > 0).all() or name == "zero"
        np.testing.assert_allclose(one.restored(x[None], scale[None])[0], y, atol=1e-6)
    assert np.isfinite(one.restored(np.array([[1e6, -1e6]]), one.scales[:1])).all()


def test_covariates_are_standardised_over_all_series():
    one = made()
    arrays = [np.array([[1.0], [2]]), np.array([[6.0]])]
    one.learn_covariates("past", arrays)
    found = one.covariates("past", arrays[0])
    np.testing.assert_allclose(found, (arrays[0] - 3) / np.std([1, 2, 6]), rtol=1e-6)
    assert found.dtype == "float32"
    one.learn_covariates("static", [np.array([[1.0, 5], [1, 7]])])
    np.testing.assert_allclose(one.covariates("static", np.array([[2.0, 8]])), [[1, 2]])


@pytest.mark.parametrize("scaling", ["none", "log"])
def test_preset_brings_all_back(scaling):
    one = made(scaling)
    one.learn_covariates("past", [np.array([[1.0], [2], [6]])])
    one.calibration = np.arange(6, dtype="float32").reshape(2, 3)
    config, assets = one.to_preset()
    two = SeriesPreprocessor.from_preset(json.loads(json.dumps(config)), assets)
    assert (two.scaling, two.columns, two.frequency) == (scaling, COLUMNS, "h")
    assert (two.calendar, two.names) == (("hour_of_day",), NAMES)
    np.testing.assert_array_equal(two.scales, one.scales)
    np.testing.assert_array_equal(two.calibration, one.calibration)
    np.testing.assert_array_equal(two.covariates("past", np.eye(1)), one.covariates("past", np.eye(1)))
    one.calibration = None
    assert SeriesPreprocessor.from_preset(*one.to_preset()).calibration is None


@pytest.mark.parametrize(
    ("config", "assets", "fault"),
    [
        ({"scaling": "other"}, {}, "scaling"),
        ({"steps": 3}, {}, "calibration.f32: 24 bytes where 36"),
        ({"spreads": {"past": [0.0], "known": [], "static": [1.0, 1.0]}}, {}, "past: not a location"),
        ({"locations": {"past": [], "known": [], "static": [1.0, 1.0]}}, {}, "past: not a location"),
        ({"unheard": 1}, {}, "unheard"),
        ({}, {"series.json": b"["}, "series.json: missing or damaged"),
        ({}, {"series.json": b"[" * 100_000}, "series.json: missing or damaged"),
        ({}, {"series.json": b'["a", "b", "a"]'}, "a name stands twice"),
        ({}, {"series.json": b'["a", "b"]'}, "scales.f64: 48 bytes where 32"),
        ({}, {"scales.f64": np.full(6, np.nan).tobytes()}, "NaN or infinity"),
        ({}, {"scales.f64": np.zeros(6).tobytes()}, "not above 0"),
    ],
)
def test_what_a_preset_may_not_hold(config, assets, fault):
    one = made()
    one.calibration = np.zeros((2, 3), "float32")
    good, kept = one.to_preset()
    with pytest.raises(PresetError, match=fault):
        SeriesPreprocessor.from_preset({**good, **config}, {**kept, **assets})


def test_what_is_refused():
    with pytest.raises(UserError, match="scaling"):
        SeriesPreprocessor("maximum", columns=COLUMNS)
    with pytest.raises(UserError, match=r"columns: .*time"):
        SeriesPreprocessor(columns={**COLUMNS, "time": 1.5})
