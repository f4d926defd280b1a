"""What the command line asks of this application before Keras is loaded."""

NAME = "translation"
TASK = "Translator"
SUMMARY = (
    "Translate sentences from one language into another: German and English, or any pair that your data has."
)
# What `predict` answers: texts, one by one, or tables, each as a whole.
ANSWERS = "texts"
# Options of `train`, `finetune` and `evaluate` that say how data are read, and what is taken without them; the first
# one is the column that `predict` reads.
COLUMNS = {
    "source_column": "source",
    "target_column": "target",
    "source_language": None,
    "target_language": None,
}
# Options of `predict` and `evaluate` that say how the answers are found, and what is taken without them.
ANSWERING = {
    "beam": 5,
    "length_penalty": 1.0,
    "coverage_penalty": 0.0,
    "n_best": None,
    "temperature": None,
    "seed": 0,
}
