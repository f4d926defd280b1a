import keras
import numpy as np
import pytest
from keras import ops

from zoo.errors import UserError
from zoo.models import AutoregressiveForecaster, ForecastEnsemble, LinearForecaster

GENERATOR = np.random.default_rng(0)
VALUES = GENERATOR.normal(size=(3, 6)).astype("float32")
INPUTS = {"values": VALUES, "observed": np.ones_like(VALUES)}


def test_members_answer_beside_each_other(tmp_path):
    members = [LinearForecaster(6, 4, kernel=3, seed=seed, name=f"member_{seed}") for seed in range(2)]
    network = ForecastEnsemble(members)
    network.build()
    found = ops.convert_to_numpy(network(INPUTS, horizon=3))
    assert found.shape == (3, 2, 3)
    for place, member in enumerate(members):
        np.testing.assert_allclose(found[:, place], ops.convert_to_numpy(member(INPUTS))[:, :3], atol=1e-6)
    assert np.abs(found[:, 0] - found[:, 1]).max() > 0.01
    assert network.config == members[0].config
    paths = [variable.path for variable in network.weights]
    assert len(set(paths)) == len(paths) == 8
    assert all(path.startswith("forecast_ensemble/member_") for path in paths)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(INPUTS, horizon=3)), found, atol=1e-6)


def test_members_share_the_paths():
    members = [
        AutoregressiveForecaster(
            6, 2, units=4, layers=1, likelihood="gaussian", seed=seed, name=f"member_{seed}"
        )
        for seed in range(2)
    ]
    network = ForecastEnsemble(members)
    network.build()
    found = ops.convert_to_numpy(network.sample(INPUTS, 5, 3))
    assert found.shape == (3, 5, 2)
    np.testing.assert_allclose(found[:, :3], ops.convert_to_numpy(members[0].sample(INPUTS, 3, 3)), rtol=1e-5)
    assert len(np.unique(found[0])) == 10


def test_none_is_no_ensemble():
    with pytest.raises(UserError, match="members is empty"):
        ForecastEnsemble([])
