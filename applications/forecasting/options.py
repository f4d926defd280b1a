"""What the command line asks of this application before Keras is loaded."""

NAME = "forecasting"
TASK = "Forecaster"
SUMMARY = (
    "Forecast time series, with intervals that hold what they promise: yours, or the data of ETT and M4."
)
# What `predict` answers: texts, one by one, or tables, each as a whole.
ANSWERS = "tables"
# Options of `train`, `finetune`, `evaluate` and `predict` that say how a table is read: its columns and pandas' name of
# its step. None: found by name, and by the times.
COLUMNS = {"time": None, "value": None, "series": None, "frequency": None}
# Options of `predict` and `evaluate` that say how the answers are found, and what is taken without them; without a
# horizon, that which was trained.
ANSWERING = {"horizon": None, "levels": (0.8, 0.95), "seed": 0}
