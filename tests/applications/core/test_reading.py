import keras
import numpy as np

from applications.core.reading import reading
from zoo.tasks.batches import Batches


def test_what_is_read_is_counted():
    generator = np.random.default_rng(0)
    sequences = [generator.integers(1, 9, length) for length in generator.integers(1, 5, 24) * 3]
    batches = Batches(sequences, np.arange(24) % 2, batch_size=6, widths=0)
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(9, 2),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    network.compile("sgd", "mse")
    found = reading(network, batches, rounds=1)
    assert found["examples"] == 24
    assert found["tokens"] == sum(map(len, sequences))
    assert found["batch_size"] == 6
    steps = sum(x.size for x, _ in batches.arrays())
    np.testing.assert_allclose(found["padding"], 1 - found["tokens"] / steps)
    assert found["padding"] < found["padding_unsorted"] < 1
    assert found["shapes"] == len({x.shape for x, _ in batches.arrays()})
    ratio = found["reader_tokens_per_second"] / found["reader_batches_per_second"]
    np.testing.assert_allclose(ratio, found["tokens"] / 4)
    assert found["training_batches_per_second"] > 0
    assert 0 <= found["waiting"] < 1
