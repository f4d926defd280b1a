import json

import numpy as np
import pytest
from keras import ops

import zoo
from applications.sentiment import sample
from zoo.errors import UserError
from zoo.inspect import Explainer, explain, trace_stack
from zoo.inspect.attribution import Score
from zoo.inspect.baselines import baselines
from zoo.preprocessing import TextPreprocessor
from zoo.tasks import Labels, LanguageModel, SentimentClassifier

TEXT = "I would watch this film again."
FIVE = [f"{stars} stars" for stars in range(1, 6)]
KINDS = {
    "two labels": Labels(["negative", "positive"]),
    "groups": Labels(["negative", "positive"], groups=[[0, 1], [3, 4]], temperature=0.7),
    "five labels": Labels(FIVE, temperature=1.6),
    "several labels": Labels(["funny", "long", "new"], multi_label=True, temperature=2.5),
}


@pytest.fixture(scope="module")
def preprocessor():
    return TextPreprocessor.train([*sample.POSITIVE, *sample.NEGATIVE], vocabulary_size=200)


@pytest.fixture(scope="module")
def make(preprocessor):
    """Return a classifier of a kind whose weights are random, and not near zero."""

    def classifier(kind="two labels", **options):
        options = {"units": 5, "embedding_dim": 6, "pooling": "mean+max", "seed": 1, **options}
        task = SentimentClassifier(labels=KINDS[kind], preprocessor=preprocessor, **options)
        generator = np.random.default_rng(2)
        for variable in task.network.weights:
            if variable.dtype == "float32":
                variable.assign(generator.normal(0, 0.6, variable.shape))
        return task

    return classifier


@pytest.fixture(scope="module")
def explainer(make):
    """An explainer of a classifier with attention, and the classifier."""
    task = make(pooling="attention+max")
    return Explainer(task), task


def log_odds(task, text, label):
    """Return log(p / (1 - p)) as the task answers."""
    p = task.predict_proba([text])[0][task.labels.index(label)]
    return np.log(p / (1 - p))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_words_sum_to_the_difference(make, kind):
    task = make(kind)
    found = explain(task, TEXT)
    (answer,) = task.predict([TEXT])
    assert (found.prediction.label, found.prediction.labels) == (answer.label, answer.labels)
    assert found.prediction.probabilities == pytest.approx(answer.probabilities, abs=1e-6)
    assert found.label == found.prediction.label
    np.testing.assert_allclose(found.log_odds, log_odds(task, TEXT, found.label), atol=1e-4)
    np.testing.assert_allclose(found.probability, 1 / (1 + np.exp(-found.log_odds)), atol=1e-5)
    total = sum(word.integrated_gradients for word in found.words)
    np.testing.assert_allclose(total, found.difference + found.residual, atol=1e-9)
    assert abs(total - (found.log_odds - found.baseline_log_odds)) <= max(0.01 * abs(found.difference), 0.001)
    assert found.converged


def test_occlusion_is_the_answer_without_the_word(explainer):
    explainer, task = explainer
    found = explainer(TEXT, label="positive")
    words = [word.text for word in found.words]
    assert words == ["i", "would", "watch", "this", "film", "again", "."]
    whole = log_odds(task, TEXT, "positive")
    for place, word in enumerate(found.words):
        without = " ".join(words[:place] + words[place + 1 :])
        np.testing.assert_allclose(word.occlusion, whole - log_odds(task, without, "positive"), atol=1e-5)


def test_the_only_word_is_weighed_against_an_empty_text(explainer):
    explainer, task = explainer
    (word,) = explainer("film", label="positive").words
    np.testing.assert_allclose(
        word.occlusion, log_odds(task, "film", "positive") - log_odds(task, "", "positive"), atol=1e-5
    )


def test_attention_is_that_of_the_pooling(explainer, make):
    explainer, task = explainer
    found = explainer(TEXT)
    network, (ids,) = task.network, task.preprocessor([TEXT])
    outputs = network.parts["stack"](network.embed(ops.array(ids[None])))
    weights = network.parts["poolings"]["attention"].weights_over_time(outputs, ops.ones((1, len(ids), 1)))
    weights = ops.convert_to_numpy(weights)[0, :, 0]
    place = 0
    for word in found.words:
        end = place + len(word.pieces)
        np.testing.assert_allclose(word.attention, weights[place:end].sum(), atol=1e-6)
        place = end
    assert place == len(ids)
    np.testing.assert_allclose(sum(word.attention for word in found.words), 1, atol=1e-6)
    assert {word.attention for word in explain(make(), "film").words} == {None}


def test_gates_are_means_of_the_trace(explainer):
    explainer, task = explainer
    found = explainer(TEXT)
    (ids,) = task.preprocessor([TEXT])
    traces = trace_stack(task.network.parts["stack"], task.network.embed(ops.array(ids[None])))
    assert list(found.gates) == ["forward_0", "backward_0"]
    for layer, gates in found.gates.items():
        assert list(gates) == ["input", "forget", "output"]
        for name, means in gates.items():
            np.testing.assert_allclose(means, traces[layer].gates[name][0].mean(axis=-1), atol=1e-6)


def test_the_other_label_has_the_opposite_numbers(explainer):
    explainer, _ = explainer
    one, other = explainer(TEXT, label="positive"), explainer(TEXT, label="negative")
    assert (one.label, other.label) == ("positive", "negative")
    np.testing.assert_allclose(one.probability, 1 - other.probability, atol=1e-6)
    for a, b in zip(one.words, other.words, strict=True):
        np.testing.assert_allclose(
            [a.integrated_gradients, a.occlusion], [-b.integrated_gradients, -b.occlusion], atol=1e-5
        )


def test_a_long_text_is_explained_as_its_first_pieces(explainer):
    explainer, task = explainer
    (ids,) = task.preprocessor([TEXT])
    found = explainer(f"{TEXT} {TEXT}", most_pieces=len(ids))
    alone = explainer(TEXT)
    assert (found.explained_pieces, found.pieces) == (len(ids), 2 * len(ids))
    assert (alone.explained_pieces, alone.pieces) == (len(ids), len(ids))
    assert found.words == alone.words
    assert found.prediction == alone.prediction


def test_more_points_are_more_exact_and_too_few_are_told(make):
    task = make()
    rough = explain(task, TEXT, steps=2, most_steps=2)
    assert (rough.steps, rough.converged) == (2, False)
    fine = explain(task, TEXT, steps=256)
    assert fine.steps >= 256
    assert abs(fine.residual) < abs(rough.residual)


@pytest.mark.parametrize(
    "options", [{"cell": "simple_rnn"}, {"cell": "min_gru", "pooling": "last", "layers": 2}]
)
def test_other_networks(make, options):
    found = explain(make("five labels", **options), TEXT, label="2 stars")
    assert found.converged
    assert len(found.gates) == (4 if "layers" in options else 2)
    assert found.gates["forward_0"].keys() == ({"update"} if "layers" in options else set())


def test_json_holds_all_of_it(explainer):
    found = explainer[0](TEXT)
    read = json.loads(json.dumps(found.to_dict()))
    assert read["explained_label"] == read["label"] == found.prediction.label
    assert read["words"][0] == {
        "text": "i",
        "pieces": list(found.words[0].pieces),
        "integrated_gradients": found.words[0].integrated_gradients,
        "occlusion": found.words[0].occlusion,
        "attention": found.words[0].attention,
    }
    total = sum(word["integrated_gradients"] for word in read["words"])
    assert read["sum_of_integrated_gradients"] == pytest.approx(total)
    assert read["log_odds"] - read["baseline_log_odds"] == pytest.approx(read["difference"])
    assert read["gates"]["backward_0"]["forget"] == list(found.gates["backward_0"]["forget"])


def test_baselines(make):
    task = make()
    network = task.network
    score = Score(network, lambda x: network.from_embeddings(x, ops.ones(ops.shape(x)[:2], "bool"))[:, 1], 6)
    table = ops.convert_to_numpy(network.parts["embedding"].embeddings)[2:]
    (first, average), *others = baselines(network, score, 7, undecided=0.3)
    weights = 1 / np.arange(1, len(table) + 1)
    assert first == "average"
    np.testing.assert_allclose(average, np.tile(weights @ table / weights.sum(), (7, 1)), atol=1e-6)
    assert [name for name, _ in others] == ["random"] * 3
    for _, text in others[:2]:
        distances = np.abs(text[:, None] - table[None, :64]).sum(axis=-1).min(axis=1)
        np.testing.assert_array_equal(distances, 0)
    far = np.abs(score.values(np.stack([average, *(text for _, text in others)])) - 0.3)
    assert far[1] <= far[2]
    assert far[1] < far[0]
    again = list(baselines(network, score, 7, undecided=0.3))
    np.testing.assert_array_equal(again[1][1], others[0][1])


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", {}, "the text is empty"),
        (" <br /> \n", {}, "the text is empty"),
        (None, {}, "the text is empty"),
        (TEXT, {"label": "postive"}, "unknown label 'postive': did you mean 'positive'"),
        (TEXT, {"steps": 0}, "steps must be a positive integer, not 0"),
        (TEXT, {"most_steps": 1.5}, "most_steps must be a positive integer, not 1.5"),
        (TEXT, {"most_pieces": True}, "most_pieces must be a positive integer, not True"),
    ],
)
def test_refusals(explainer, text, options, said):
    with pytest.raises(UserError) as error:
        explainer[0](text, **options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_other_tasks_are_refused():
    with pytest.raises(UserError, match="a LanguageModel has no labels to explain"):
        Explainer(object.__new__(LanguageModel))
    with pytest.raises(UserError, match="the task has learned nothing yet"):
        Explainer(SentimentClassifier())


def test_the_shipped_preset_is_explained_completely():
    task = SentimentClassifier.from_preset("sentiment_sst2_en")
    explainer = Explainer(task)
    texts = [
        "Not exactly a bad film, but I would not watch it again.",
        "A wonderful little film.",
        "The acting is superb but the plot is a complete mess.",
    ]
    for text in texts:
        found = explainer(text)
        total = sum(word.integrated_gradients for word in found.words)
        assert found.converged
        assert abs(total - found.difference) <= 0.01 * abs(found.difference)
        assert found.label == task.predict([text])[0].label
    strongest = max(explainer(texts[1], label="positive").words, key=lambda word: word.integrated_gradients)
    assert strongest.text == "wonderful"


def test_it_is_found_from_zoo():
    assert zoo.inspect.explain is explain
