"""Train a language model on texts without labels: what a classifier can start from (`--set pretrained=RUN`)."""

import os
import platform
from pathlib import Path

import numpy as np

from applications.core import backend, recipes
from applications.sentiment import data
from applications.sentiment.recipes import PRETRAINING, Pretraining
from zoo.errors import UserError, check_range
from zoo.tasks import LanguageModel

_TASK = (
    "vocabulary_size",
    "vocabulary_texts",
    "window",
    "cell",
    "units",
    "layers",
    "bidirectional",
    "embedding_dim",
    "input_dropout",
    "output_dropout",
    "region",
    "samples",
)
_FIT = (
    "epochs",
    "batch_size",
    "learning_rate",
    "schedule",
    "warmup",
    "weight_decay",
    "clipnorm",
    "averaging",
)


def pretrain(
    recipe: Pretraining,
    source: str,
    out: str | os.PathLike,
    *,
    text_column: str = "text",
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Train a language model and return the folder of its preset, `out/preset`.

    Args:
        recipe: every number of the training.
        source: the data, as `applications.sentiment.data.load` reads it; labels are not looked at. Of a corpus,
            the splits `train` and `unsupervised` are read.
        out: the run folder. A run that was killed goes on when started again with the same arguments.
        text_column: name of the column of the texts.
        seed: of everything that is drawn.
        progress: whether to show a line for each epoch on standard error.

    Raises:
        SourceError: the data cannot be read.
        UserError: a number out of range, or too few texts; `out` holds another run.
        DivergedError: the loss is no longer finite.
    """
    check_range("held_texts", recipe.held_texts, 0)
    if recipe.examples is not None:
        check_range("examples", recipe.examples, 1)
    texts = data.load_texts(source, text_column)
    order = np.random.default_rng(seed).permutation(len(texts))
    held, kept = order[: recipe.held_texts], np.sort(order[recipe.held_texts :][: recipe.examples])
    if not len(kept):
        raise UserError(
            f"{source}: {len(texts)} texts, of which held_texts={recipe.held_texts} are held back; give more texts"
        )
    values = recipes.to_dict(recipe)
    held_texts = [texts[row] for row in held]
    task = LanguageModel(**{name: values[name] for name in _TASK})
    name = next((name for name, known in PRETRAINING.items() if known == recipe), "custom")
    facts = {"recipe": name, "recipe_values": values}
    history = task.fit(
        [texts[row] for row in kept],
        validation_data=held_texts or None,
        seed=seed,
        out=out,
        settings=facts,
        progress=progress,
        **{name: values[name] for name in _FIT},
    )
    return task.save_to_preset(
        Path(out) / "preset",
        metadata={
            **facts,
            "data": source,
            "seed": seed,
            "splits": {"train": len(kept), "held": len(held)},
            "validation": task.evaluate(held_texts) if held_texts else {},
            "seconds": round(history.rows[-1]["seconds"], 1),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "versions": backend.versions(),
        },
    )
