"""What every network must keep."""

import json

import keras


def copies(network, tmp_path):
    """Return a network of the same config and weights, and one that was saved whole; names and config are checked."""
    config = network.get_config()
    again = type(network).from_config(json.loads(json.dumps(config)))
    again.build()
    assert again.get_config() == config
    assert [w.path for w in again.weights] == [w.path for w in network.weights]
    assert len({w.path for w in network.weights}) == len(network.weights)
    network.save_weights(tmp_path / "network.weights.h5")
    again.load_weights(tmp_path / "network.weights.h5")
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.get_config() == config
    return again, loaded
