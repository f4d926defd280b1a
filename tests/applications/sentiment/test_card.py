"""What the model cards say of texts from outside the labelled data."""

from applications.sentiment.card import about

TRAINING = {
    "data": "sst:PATH",
    "recipe_values": {"teachers": None, "unlabelled": None},
    "splits": {"train": 6920},
}


def test_a_model_of_its_data_alone():
    said = about(TRAINING)
    assert "SST-2 leaves out the neutral sentences" in said.data
    assert said.data.endswith("No text from outside it was used.")
    assert "Data of whoever trained it." in about({**TRAINING, "data": "own.csv"}).data


def test_every_text_from_outside_is_told():
    values = {"teachers": "nb-svm,runs/one", "unlabelled": "imdb:PATH"}
    taught = about({**TRAINING, "recipe_values": values, "splits": {"train": 9000}}).data
    assert "No text from outside" not in taught
    assert "learned from 9,000 examples" in taught
    assert "`nb-svm`, `runs/one`" in taught
    assert "texts of `imdb:PATH`" in taught
    seen = about({**TRAINING, "recipe_values": {"unlabelled": "own.csv"}}).data
    assert "learned from texts of `own.csv` without labels" in seen
    assert "No text from outside" not in seen
    started = about({**TRAINING, "pretraining": {"data": "imdb:PATH"}}).data
    assert "language model that it started from was trained on texts of `imdb:PATH`" in started
    assert "No text from outside" not in started
