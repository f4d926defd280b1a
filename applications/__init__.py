"""The pipelines: data, training, evaluation, report."""
