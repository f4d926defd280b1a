import keras
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.tasks.optimizer import WarmCosine, layer_rates, make_optimizer


class Named:
    """A network of three layers, the loss of which has the gradient 1 everywhere."""

    def __init__(self):
        inputs = keras.Input((1,))
        x = inputs
        for name in ("low", "high", "head"):
            x = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name=name)(x)
        self.model = keras.Model(inputs, x)

    def values(self):
        return {v.path: float(keras.ops.convert_to_numpy(v)[0, 0]) for v in self.model.weights}


def steps(optimizer, count):
    named = Named()
    variables = named.model.trainable_variables
    optimizer.build(variables)
    for _ in range(count):
        optimizer.apply([keras.ops.ones(v.shape) for v in variables], variables)
    return named.values()


def test_each_layer_learns_more_slowly_than_the_one_above():
    rates = layer_rates([["high/"], ["low/"]], 2.6, 0, 10)
    assert rates == [("high/", 1 / 2.6, 0), ("low/", 1 / 2.6**2, 0)]
    found = steps(make_optimizer(0.1, "constant", 0, 10, rates=rates), 1)
    moved = {path: 1 - value for path, value in found.items()}
    np.testing.assert_allclose(moved["head/kernel"], 0.1, rtol=1e-4)  # Adam's first step is the rate
    np.testing.assert_allclose(moved["high/kernel"], 0.1 / 2.6, rtol=1e-4)
    np.testing.assert_allclose(moved["low/kernel"], 0.1 / 2.6**2, rtol=1e-4)


def test_layers_thaw_one_after_the_other():
    rates = layer_rates([["high/"], ["low/"]], 1, 0.5, 4)
    assert rates == [("high/", 1, 2), ("low/", 1, 4)]
    for count, frozen in ((2, {"high", "low"}), (3, {"low"}), (5, set())):
        found = steps(make_optimizer(0.1, "constant", 0, 10, weight_decay=0.1, rates=rates), count)
        assert {path.split("/")[0] for path, value in found.items() if value == 1} == frozen


def test_equal_rates_are_keras_own_adamw():
    plain = make_optimizer(0.1, "cosine", 0.2, 10, weight_decay=0.05)
    same = make_optimizer(0.1, "cosine", 0.2, 10, weight_decay=0.05, rates=[("nothing/", 0.5, 3)])
    first, second = steps(plain, 7), steps(same, 7)
    np.testing.assert_allclose(list(first.values()), list(second.values()), rtol=1e-5)
    assert layer_rates([["high/"]], 1, 0, 10) == []


@pytest.mark.parametrize(("rising", "falling"), [(0, 7), (1, 1), (5, 20)])
def test_the_rate_is_that_of_keras_own_cosine(rising, falling):
    rate = WarmCosine(0.3, rising, falling, 0.01)
    if rising:
        own = keras.optimizers.schedules.CosineDecay(
            0.0, falling, 0.01, warmup_target=0.3, warmup_steps=rising
        )
    else:
        own = keras.optimizers.schedules.CosineDecay(0.3, falling, 0.01)
    steps = range(rising + falling + 3)
    found, expected = (
        [float(keras.ops.convert_to_numpy(each(step))) for step in steps] for each in (rate, own)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
    assert found[rising] == pytest.approx(0.3)
    np.testing.assert_allclose(found[rising + falling :], 0.003, rtol=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(rate))
    assert again.get_config() == rate.get_config()


def test_a_constant_rate_may_rise_too():
    assert float(make_optimizer(0.1, "constant", 0, 10).learning_rate) == pytest.approx(0.1)
    schedule = make_optimizer(0.1, "constant", 0.2, 10).get_config()["learning_rate"]
    rate = keras.saving.deserialize_keras_object(schedule)
    found = [float(keras.ops.convert_to_numpy(rate(step))) for step in (0, 1, 2, 9, 99)]
    np.testing.assert_allclose(found, [0, 0.05, 0.1, 0.1, 0.1], rtol=1e-6)


def test_config_and_errors():
    optimizer = make_optimizer(0.1, "constant", 0, 10, rates=[("low/", 0.5, 3)])
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.rates == [("low/", 0.5, 3)]
    with pytest.raises(UserError, match="schedule: got 'linear'"):
        make_optimizer(0.1, "linear", 0, 10)
    with pytest.raises(UserError, match=r"discriminative: got 0\.5; give a number of at least 1"):
        layer_rates([], 0.5, 0, 10)
    with pytest.raises(UserError, match="gradual_unfreezing: got -1"):
        layer_rates([], 1, -1, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", -1), ("warmup", 1.5), ("weight_decay", -0.1), ("averaging", 1), ("clipnorm", -1)],
)
def test_numbers_out_of_range(name, value):
    settings = {"learning_rate": 0.1, "schedule": "cosine", "warmup": 0.1, "steps": 10}
    with pytest.raises(UserError, match=f"{name}: got {value}; give a number of at least 0"):
        make_optimizer(**settings | {name: value})
