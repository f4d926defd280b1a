"""What the command line asks of this application before Keras is loaded."""

NAME = "sentiment"
TASK = "SentimentClassifier"
SUMMARY = "Classify texts: negative or positive, or any labels that your data has."
# What `predict` answers: texts, one by one, or tables, each as a whole.
ANSWERS = "texts"
# Options of `train`, `finetune` and `evaluate` that say how data are read, and what is taken without them; the first
# one is the column that `predict` reads.
COLUMNS = {"text_column": "text", "label_column": "label", "label_separator": None}
# Options of `predict` and `evaluate` that say how the answers are found, and what is taken without them.
ANSWERING = {}
