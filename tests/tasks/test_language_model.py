import keras
import numpy as np
import pytest

import zoo
from applications.sentiment import sample
from zoo.errors import UserError
from zoo.preprocessing import TextPreprocessor
from zoo.tasks import LanguageModel, SentimentClassifier

TEXTS = [*sample.POSITIVE[:30], *sample.NEGATIVE[:30]]
LABELS = ["positive"] * 30 + ["negative"] * 30
SMALL = {"units": 8, "embedding_dim": 8, "vocabulary_size": 300, "window": 16}


@pytest.fixture(scope="module")
def learned():
    model = LanguageModel(**SMALL)
    history = model.fit(
        TEXTS, validation_data=TEXTS[:10], epochs=4, batch_size=8, learning_rate=2e-2, seed=3, progress=False
    )
    assert history.rows[-1]["val_log_loss"] < history.rows[0]["val_log_loss"]
    return model


def test_windows_are_even_and_hold_every_id(learned):
    text = " ".join(TEXTS)
    ids = learned.preprocessor([text], whole=True)[0]
    windows = learned.windows([text])
    np.testing.assert_array_equal(np.concatenate(windows), ids)
    assert len(ids) > 512  # the preprocessor's own limit would cut it
    assert max(map(len, windows)) <= 16
    assert max(map(len, windows)) - min(map(len, windows)) <= 1


def test_perplexity_is_that_of_all_predictions(learned):
    found = learned.evaluate(TEXTS[:4], batch_size=3)
    total, count = 0.0, 0
    for ids in learned.windows(TEXTS[:4]):
        nll, _ = learned.network.token_nll(keras.ops.convert_to_tensor(ids[None]))
        total += keras.ops.convert_to_numpy(nll).sum(dtype="float64")
        count += 2 * (len(ids) - 1)
    np.testing.assert_allclose(found["log_loss"], total / count, rtol=1e-5)
    np.testing.assert_allclose(found["perplexity"], np.exp(total / count), rtol=1e-5)
    assert found["perplexity"] < 0.7 * learned.preprocessor.vocabulary_size  # an even guess is the whole


def test_saved_and_loaded_it_says_the_same(learned, tmp_path):
    learned.save_to_preset(tmp_path / "lm")
    again = zoo.tasks.from_preset(tmp_path / "lm")
    assert isinstance(again, LanguageModel)
    assert again.window == 16
    assert again.evaluate(TEXTS[:5]) == pytest.approx(learned.evaluate(TEXTS[:5]))


def test_a_classifier_starts_from_it(learned):
    task = SentimentClassifier(encoder=learned, labels=["negative", "positive"], layers=2, max_length=40)
    values = {v.path.partition("/")[2]: keras.ops.convert_to_numpy(v) for v in learned.network.weights}
    taken = [v for v in task.network.weights if v.path in values]
    assert len(taken) == 7  # embeddings, and three weights of both directions of the lowest layer
    for variable in taken:
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), values[variable.path])
    assert task.preprocessor.model == learned.preprocessor.model
    assert task.preprocessor.max_length == 40
    later = SentimentClassifier(encoder=learned)  # the labels come with the texts
    later.fit(TEXTS, LABELS, epochs=1, learning_rate=0.0, progress=False)
    found = keras.ops.convert_to_numpy(later.network.get_layer("embedding").embeddings)
    np.testing.assert_array_equal(found, values["embedding/embeddings"])


def test_errors_name_the_argument(learned):
    with pytest.raises(UserError, match="unknown argument 'unit': did you mean 'units'"):
        LanguageModel(unit=8)
    with pytest.raises(UserError, match="window must be 2 or more"):
        LanguageModel(window=1)
    with pytest.raises(UserError, match="units is 9, the encoder's is 8; give units=8"):
        SentimentClassifier(encoder=learned, units=9)
    with pytest.raises(UserError, match="cell is 'gru', the encoder's is 'lstm'"):
        SentimentClassifier("gru", encoder=learned)
    pieces = TextPreprocessor(learned.preprocessor.model)
    with pytest.raises(UserError, match="leave out preprocessor"):
        SentimentClassifier(encoder=learned, preprocessor=pieces)
    with pytest.raises(UserError, match="nothing to predict"):
        learned.fit(["", " "], progress=False)
    with pytest.raises(UserError, match="nothing to predict"):
        learned.evaluate([""])
    with pytest.raises(UserError, match="at least one text"):
        LanguageModel().fit([])
    with pytest.raises(UserError, match="learned nothing yet"):
        LanguageModel().evaluate(TEXTS)
