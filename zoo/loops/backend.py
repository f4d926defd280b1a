"""The file of this folder that is named after Keras's backend: `native`.

Each of these files has `TRAINING` and `PREDICTING`, the loops that `"auto"` takes, the fastest first; `scan`,
`reverse`, `pullback` and `custom_gradient`, of which the loops are made; and for the compiled loop `compiles(cell)` and

    outside(function, inputs, shapes)

which lets `function` compute with the memory of tensors. It is called with two dictionaries of NumPy arrays, `inputs`
and those that it is to fill. `inputs` holds tensors by name; `shapes` maps the dictionary of their shapes to that of
the shapes to be made. Returned are the tensors that were filled, by name, in the precision of `inputs["x"]`.
"""

from importlib import import_module

import keras

from zoo.errors import unknown

NAMES = ("tensorflow", "jax", "torch")

if keras.backend.backend() not in NAMES:
    raise unknown(
        "Keras backend", keras.backend.backend(), NAMES, "set KERAS_BACKEND=tensorflow, jax or torch."
    )

native = import_module(f"zoo.loops.{keras.backend.backend()}")
