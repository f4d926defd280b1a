"""What the command line asks of this application before Keras is loaded."""

NAME = "sentiment"
TASK = "SentimentClassifier"
SUMMARY = "Classify texts: negative or positive, or any labels that your data has."
# Options of `train`, `finetune` and `evaluate` that say how a table is read, and what is taken without them.
COLUMNS = {"text_column": "text", "label_column": "label", "label_separator": None}
