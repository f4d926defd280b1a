"""Whether training waits for its data, on the smallest network: a larger one waits even less."""

from typing import Any

import numpy as np

from applications.core import backend
from applications.sentiment import data
from applications.sentiment.recipes import RECIPES
from zoo.preprocessing import TextPreprocessor

LIMIT = 4000  # examples that are read and trained on


def measure(source: str, batch_size: int = 32) -> dict[str, Any]:
    """Return `applications.core.reading.reading` of a source, with the versions that it depends on.

    The texts are those for training, of which `LIMIT` are drawn, in the pieces of the recipe `base`; the network
    has the sizes of the recipe `tiny`.

    Raises:
        UserError: no such source.
    """
    dataset, _ = data.load_training(source)
    if len(dataset) > LIMIT:
        dataset = dataset.take(np.random.default_rng(0).permutation(len(dataset))[:LIMIT])
    tiny, base = RECIPES["tiny"], RECIPES["base"]
    preprocessor = TextPreprocessor.train(
        dataset.texts, vocabulary_size=base.vocabulary_size, max_length=base.max_length
    )
    with backend.starting():
        from applications.core.reading import reading
        from zoo.losses import GroupedCrossentropy
        from zoo.models import RecurrentClassifier
        from zoo.tasks.batches import Batches

        network = RecurrentClassifier(
            preprocessor.vocabulary_size,
            len(dataset.label_names),
            cell=tiny.cell,
            units=tiny.units,
            embedding_dim=tiny.embedding_dim,
            pooling=tiny.pooling,
        )
        network.compile("adam", GroupedCrossentropy(None))
    versions = backend.versions()
    targets = np.array([dataset.label_names.index(label) for label in dataset.labels])
    batches = Batches(
        preprocessor(dataset.texts),
        np.eye(len(dataset.label_names))[targets],
        batch_size=batch_size,
        widths=4 if versions["backend"] == "jax" else 0,
    )
    return {"source": source, **reading(network, batches), **versions}
