"""Model cards: one page of Markdown for every shipped preset, from one template."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from applications.core import tables


@dataclass(frozen=True)
class About:
    """What an application says in the cards of its presets, in Markdown.

    Attributes:
        summary: one sentence: what the model does.
        data: what it was trained on, who made it, with the publication.
        licence: of the data, and what that means for the weights.
        use: what the model is meant for.
        limits: where it fails, and what it should not be used for.
        example: Python that loads and asks it; `{name}` is the preset's name.
    """

    summary: str
    data: str
    licence: str
    use: str
    limits: str
    example: str


def model_card(
    name: str,
    about: About,
    training: Mapping[str, Any],
    *,
    command: str,
    pretraining_command: str | None = None,
    metrics: Mapping[str, float],
    how: Mapping[str, Any],
    count: int,
    parameters: int,
) -> str:
    """Return the model card, a page of Markdown.

    Args:
        name: of the preset.
        about: what the application says.
        training: `applications.core.publish.TRAINING`, its paths portable.
        command: that trains it.
        pretraining_command: that trains the language model which it started from.
        metrics: of the float16 weights on the test split.
        how: what else makes them comparable.
        count: examples of the test split.
        parameters: of the network.
    """
    data, trials = training["data"], training["trials"]
    measured = [
        {"metric": key, "test": value, "validation": training["validation"].get(key)}
        for key, value in metrics.items()
    ]
    settings = [{"setting": key, "value": _words(value)} for key, value in training["recipe_values"].items()]
    facts = {
        "recipe": training["recipe"],
        "seed": training["seed"],
        "examples": ", ".join(f"{size:,} {part}" for part, size in training["splits"].items()),
        "best epoch": training["best_epoch"],
        "trainings compared": trials,
        "parameters": f"{parameters:,}",
        "wall time": _clock(training["seconds"]),
        "machine": training["machine"],
        "versions": ", ".join(
            f"{key.removesuffix('_version')} {it}" for key, it in training["versions"].items()
        ),
    }
    facts = [{"": key, "training": str(value)} for key, value in facts.items() if value is not None]
    return f"""# {name}

{about.summary}

```python
{about.example.format(name=name).strip()}
```

## Measured

On `{data}`: the split `test` ({count:,} examples) with the float16 weights that are shipped; the
validation data, on which alone the model was chosen, with the weights as they were trained.

{tables.markdown(measured)}{_how(how)}
```
zoo evaluate {name} --data {data} --split test
```

## Training

```
{command}
```

{tables.markdown(facts)}
{tables.markdown(settings)}{_pretraining(training, pretraining_command)}
## Data

{about.data.strip()}

**Licence.** {about.licence.strip()}

## Intended use

{about.use.strip()}

## Limits

{about.limits.strip()}
"""


def _how(how: Mapping[str, Any]) -> str:
    """Return the list of what makes the numbers comparable."""
    return "".join(f"\n- {key.replace('_', ' ')}: `{value}`" for key, value in how.items()) + "\n" * bool(how)


def _pretraining(training: Mapping[str, Any], command: str | None) -> str:
    """Return the section on the language model that a training started from."""
    if command is None:
        return ""
    before = training["pretraining"]
    facts = {
        "examples": ", ".join(f"{size:,} {part}" for part, size in before["splits"].items()),
        **{f"{key}, held texts": f"{value:.4g}" for key, value in before["validation"].items()},
        "wall time": _clock(before["seconds"]),
        "machine": before["machine"],
    }
    settings = [{"setting": key, "value": _words(value)} for key, value in before["recipe_values"].items()]
    return f"""
## Pre-training

It started from a language model of texts without labels, trained once for all seeds:

```
{command}
```

{tables.markdown([{"": key, "pre-training": value} for key, value in facts.items()])}
{tables.markdown(settings)}"""


def portable(source: str) -> str:
    """Return a SOURCE or a path without the folders of one machine.

    `sst:/home/me/sst` becomes `sst:PATH`, `/home/me/own.csv` `own.csv`; relative paths and names stay.
    """
    corpus, path = re.fullmatch(r"(\w{2,}:)?(.*)", source, re.DOTALL).groups(default="")
    if not path.startswith(("/", "~", "\\")) and not re.match(r"[A-Za-z]:[\\/]", path):
        return source
    return f"{corpus}PATH" if corpus else re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"
