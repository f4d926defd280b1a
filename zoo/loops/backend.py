"""The file of this folder that is named after Keras's backend."""

from importlib import import_module

import keras

from zoo.errors import unknown

NAMES = ("tensorflow", "jax", "torch")

if keras.backend.backend() not in NAMES:
    raise unknown(
        "Keras backend", keras.backend.backend(), NAMES, "set KERAS_BACKEND=tensorflow, jax or torch."
    )

native = import_module(f"zoo.loops.{keras.backend.backend()}")
