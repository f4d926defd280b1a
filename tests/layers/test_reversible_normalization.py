"""Locations and scales against a computation in NumPy and float64, series by series over what is observed."""

import keras
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers import NORMALIZATIONS, ReversibleNormalization

RNG = np.random.default_rng(0)
VALUES = (3 + 2 * RNG.normal(size=(5, 9))).astype("float32")
OBSERVED = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 1, 1, 1, 1, 1, 1],
        [1, 0, 1, 1, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0, 0, 1],
    ],
    "float32",
)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def by_hand(kind, x):
    """Location and scale of the observed values x (steps,)."""
    x = x.astype("float64")
    if kind == "last":
        return x[-1], 1
    if kind == "standard":
        return x.mean(), np.sqrt(np.mean((x - x.mean()) ** 2) + (1e-4 * np.abs(x).mean()) ** 2)
    return 0, np.abs(x).mean() if kind == "scale" else 1


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_it_is_that_of_a_computation_by_hand(kind):
    layer = ReversibleNormalization(kind)
    for values in (VALUES, np.where(OBSERVED, VALUES, np.nan)):  # what is not observed is not looked at
        window, *statistics = layer(values, OBSERVED)
        for row, seen in enumerate(OBSERVED > 0):
            location, scale = by_hand(kind, VALUES[row, seen])
            np.testing.assert_allclose(
                [array(each)[row, 0] for each in statistics], [location, scale], rtol=1e-5
            )
            expected = np.where(seen, (VALUES[row] - location) / scale, 0)
            np.testing.assert_allclose(array(window)[row], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_it_is_undone_on_forecasts_of_any_shape(kind):
    layer = ReversibleNormalization(kind)
    statistics = layer.statistics(VALUES, OBSERVED)
    later = RNG.normal(size=(5, 4)).astype("float32")
    restored = array(layer.restore(layer.normalize(later, *statistics), *statistics))
    np.testing.assert_allclose(restored, later, rtol=1e-5, atol=1e-5)
    quantiles = array(layer.restore(np.stack([later, later + 1], axis=-1), *statistics))
    for number in (0, 1):
        np.testing.assert_array_equal(
            quantiles[..., number], array(layer.restore(later + number, *statistics))
        )


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("value", [0, 1, -1e-20, 7e8, 1e30])
def test_windows_without_change_or_observation_are_safe(kind, value):
    values = np.full((3, 8), value, "float32")
    observed = np.array([[1] * 8, [0, 1, 0, 0, 1, 0, 1, 0], [0] * 8], "float32")
    layer = ReversibleNormalization(kind)
    window, location, scale = map(array, layer(values, observed))
    for each in (window, location, scale, array(layer.restore(window, location, scale))):
        assert np.isfinite(each).all()
    assert (scale > 0).all()
    assert not window[observed == 0].any()
    assert [location[2, 0], scale[2, 0]] == [0, 1]
    if kind in ("last", "standard"):
        np.testing.assert_allclose(location[:2, 0], value, rtol=1e-6)
        np.testing.assert_allclose(window, 0, atol=1e-2)
    if kind == "standard":
        np.testing.assert_allclose(scale[:2, 0], 1e-4 * np.abs(value) or 1, rtol=1e-3)


def test_as_many_steps_as_rows_are_no_bias():
    """Keras 3.15 adds (batch, 1) to (batch, batch) along the wrong axis on TensorFlow."""
    location = np.arange(4, dtype="float32")[:, None]
    found = ReversibleNormalization("last").restore(np.zeros((4, 4), "float32"), location, location + 1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), np.repeat(location, 4, axis=1))


def test_saved_and_loaded_it_is_the_same():
    layer = ReversibleNormalization("last", name="x")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert again.kind == "last"
    assert not layer.weights


def test_errors_name_the_argument():
    with pytest.raises(UserError, match="unknown normalization 'lats': did you mean 'last'"):
        ReversibleNormalization("lats")
