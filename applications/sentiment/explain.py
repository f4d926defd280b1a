"""Why a classifier answers as it does for a text: as a page, a picture, JSON or lines."""

from pathlib import Path
from typing import TYPE_CHECKING

from applications.core import outputs
from applications.sentiment import explain_page, explain_picture

if TYPE_CHECKING:
    from zoo.inspect import Explanation
    from zoo.tasks import Task

PICTURES = (".png", ".svg", ".pdf")
SUFFIXES = (".html", ".json", *PICTURES)
"""What an explanation can be written as."""


def explain(task: "Task", text: str, *, label: str | None = None, steps: int | None = None) -> "Explanation":
    """Return why the task answers as it does; see `zoo.inspect.Explainer`.

    Args:
        task: a `SentimentClassifier`.
        text: a raw text that is not empty.
        label: the label to explain; by default the one that is answered.
        steps: points of the path of integrated gradients to begin with.

    Raises:
        UserError: no text, an unknown label, or no positive number of steps.
    """
    from zoo import inspect

    options = {} if steps is None else {"steps": steps}
    return inspect.explain(task, text, label=label, **options)


def write(explanation: "Explanation", path: Path) -> None:
    """Write an explanation to a new file, as its suffix says.

    Raises:
        UserError: as `outputs.check_new` does.
    """
    outputs.check_new(path, SUFFIXES)
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        with outputs.new_file(path) as partial:
            explain_picture.draw(explanation, partial)
    elif suffix == ".html":
        outputs.write(path, explain_page.to_html(explanation))
    else:
        outputs.write(path, outputs.to_json(explanation.to_dict()))


def to_lines(explanation: "Explanation") -> str:
    """Return a table with tabs: a line for each word, then what the words sum to; the numbers are log-odds.

    The columns are the word, its integrated gradients, its occlusion, and its attention where there is some. Below
    stand, in parentheses, the sum of the words, the residual, the baseline and the log-odds of the label; the
    probability of the label.
    """
    attended = any(word.attention is not None for word in explanation.words)
    lines = [["word", "integrated_gradients", "occlusion", *["attention"] * attended]]
    for word in explanation.words:
        numbers = [word.integrated_gradients, word.occlusion]
        numbers += [word.attention] if attended else []
        lines.append([outputs.to_line(word.text), *(f"{number:.4f}" for number in numbers)])
    totals = {
        "sum": explanation.difference + explanation.residual,
        "residual": explanation.residual,
        "baseline": explanation.baseline_log_odds,
        "log_odds": explanation.log_odds,
        "probability": explanation.probability,
    }
    lines += [[f"({name})", f"{value:.4f}"] for name, value in totals.items()]
    lines.append(["(label)", outputs.to_line(explanation.label)])
    return "".join("\t".join(line) + "\n" for line in lines)
