"""Use the installed wheel from outside the checkout: the files it must hold, and a shipped preset at work."""

import sys
from importlib.resources import files
from pathlib import Path

import applications
import zoo

checkout = Path(sys.argv[1]).resolve()
for package in (zoo, applications):
    home = Path(package.__file__).resolve()
    assert home.is_relative_to(checkout / ".venv-ci/wheel"), (
        f"{package.__name__} comes from {home}: not the wheel"
    )
assert (files("zoo") / "py.typed").is_file(), "the wheel has no zoo/py.typed"

presets = zoo.list_presets()
shipped = {path.parent.name for path in checkout.glob("zoo/presets/*/config.json")}
assert set(presets) == shipped, f"the wheel ships {sorted(presets)}, the checkout holds {sorted(shipped)}"

model = zoo.tasks.SentimentClassifier.from_preset("sentiment_sst2_en")
good, bad = model.predict(["A wonderful little film.", "Two hours I will never get back."])
print(good, bad, sep="\n")
assert (good.label, bad.label) == ("positive", "negative"), "the shipped preset does not tell good from bad"
