"""How a case becomes a step that can be timed: compiled as is natural on its backend, and waited for.

`tf.function` on TensorFlow, `jax.jit` on JAX, as it is on PyTorch. A training step takes the gradients of all
weights and of the inputs of a scalar: the sum of all outputs times a fixed random tensor.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from applications.core.benchmark.case import PADDING, Case

MODULES = {
    "keras": ("keras",),
    "zoo": ("keras", "zoo.layers"),
    "torch": ("torch",),
    "torchrecurrent": ("torch", "torchrecurrent"),
    "flax": ("jax", "flax.linen"),
}
"""What a worker of a peer imports, once."""


@dataclass(frozen=True)
class Contestant:
    """A case, ready to run.

    Attributes:
        step: does one step and returns when all its results are there.
        products: numbers in the matrices that inputs and states are multiplied with; a step's floating-point work
            in products is proportional to it.
        device: what it runs on.
    """

    step: Callable[[], Any]
    products: int
    device: str


@dataclass(frozen=True)
class Data:
    """What goes into a step: inputs (batch, time, inputs), weights of the loss (batch, time, units), mask."""

    inputs: np.ndarray
    scale: np.ndarray
    mask: np.ndarray | None

    @classmethod
    def of(cls, case: Case) -> "Data":
        """Return the same random numbers for the same shape and padding."""
        batch, time, inputs, units = case.shape
        random = np.random.default_rng(0)
        x = random.standard_normal((batch, time, inputs), "float32")
        scale = random.standard_normal((batch, time, units), "float32")
        if PADDING[case.padding] is None:
            return cls(x, scale, None)
        low, high = (int(share * time) for share in PADDING[case.padding])
        lengths = random.integers(max(1, low), max(1, high), size=batch, endpoint=True)
        return cls(x, scale, np.arange(time) < lengths[:, None])


def build(case: Case) -> Contestant:
    """Return the contestant; its layer is built and nothing is compiled yet.

    Raises:
        AttributeError: the peer has no such layer.
        UserError: a loop cannot run the layer.
    """
    if case.peer in ("keras", "zoo"):
        builder = {"tensorflow": _keras_tensorflow, "jax": _keras_jax, "torch": _keras_torch}[case.backend]
        return builder(case, Data.of(case))
    return {"torch": _torch_module, "torchrecurrent": _torch_module, "flax": _flax}[case.peer](
        case, Data.of(case)
    )


def _products(weights: list[tuple[str, tuple[int, ...]]]) -> int:
    return sum(math.prod(shape) for name, shape in weights if len(shape) > 1 and "bias" not in name)


# --- layers of Keras's kind: its own and ours ------------------------------------------------------------


def _keras_layer(case: Case) -> tuple[Any, int]:
    own = {"loop": case.loop} if case.peer == "zoo" and case.loop != "auto" else {}
    layers = import_module({"keras": "keras.layers", "zoo": "zoo.layers"}[case.peer])
    layer = getattr(layers, case.layer)(
        case.shape[-1], return_sequences=True, recurrent_dropout=case.dropout, **own
    )
    layer.build(case.shape[:3])
    return layer, _products([(w.name, tuple(w.shape)) for w in layer.trainable_weights])


def _keras_tensorflow(case: Case, data: Data) -> Contestant:
    import tensorflow as tf

    layer, products = _keras_layer(case)
    x, scale = tf.constant(data.inputs), tf.constant(data.scale)
    mask = None if data.mask is None else tf.constant(data.mask)
    weights = [weight.value for weight in layer.trainable_weights]

    @tf.function
    def train(x, scale, mask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, mask=mask, training=True) * scale)
        gradients = tape.gradient(loss, [x, *weights])
        return gradients, tf.stack([tf.reshape(gradient, [-1])[0] for gradient in gradients])

    @tf.function
    def infer(x, scale, mask):
        y = layer(x, mask=mask, training=False)
        return y, tf.reshape(y, [-1])[-1]

    call = train if case.train else infer
    gpus = tf.config.list_physical_devices("GPU")
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
    return Contestant(lambda: call(x, scale, mask)[1].numpy(), products, device)


def _keras_jax(case: Case, data: Data) -> Contestant:
    layer, products = _keras_layer(case)
    weights = [weight.value for weight in layer.trainable_variables]
    others = [weight.value for weight in layer.non_trainable_variables]

    def forward(weights, x, others, mask):
        return layer.stateless_call(weights, others, x, mask=mask, training=case.train)[0]

    return _jax(forward, weights, data, (others, data.mask), case.train, products)


def _keras_torch(case: Case, data: Data) -> Contestant:
    import torch

    layer, products = _keras_layer(case)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mask = None if data.mask is None else torch.tensor(data.mask, device=device)
    weights = [weight.value for weight in layer.trainable_weights]
    return _torch(
        lambda x: layer(x, mask=mask, training=case.train), weights, data, case.train, products, device
    )


# --- the peers' own modules --------------------------------------------------------------------------------


def _torch_module(case: Case, data: Data) -> Contestant:
    import torch

    module = import_module({"torch": "torch.nn", "torchrecurrent": "torchrecurrent"}[case.peer])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layer = getattr(module, case.layer)(*case.shape[2:], batch_first=True).to(device)
    named = [(name, tuple(weight.shape)) for name, weight in layer.named_parameters()]
    return _torch(lambda x: layer(x)[0], list(layer.parameters()), data, case.train, _products(named), device)


def _flax(case: Case, data: Data) -> Contestant:
    import jax
    from flax import linen

    cell = {"LSTM": linen.OptimizedLSTMCell, "GRU": linen.GRUCell}[case.layer]
    layer = linen.RNN(cell(case.shape[-1]))
    weights = layer.init(jax.random.key(0), data.inputs)
    products = sum(leaf.size for leaf in jax.tree.leaves(weights) if leaf.ndim > 1)
    return _jax(layer.apply, weights, data, (), case.train, products)


# --- steps that layers of every kind share ---------------------------------------------------------------


def _jax(forward: Callable, weights: Any, data: Data, more: tuple, train: bool, products: int) -> Contestant:
    import jax

    def loss(weights, x, scale, *more):
        return (forward(weights, x, *more) * scale).sum()

    x, scale, more = jax.device_put((data.inputs, data.scale, more))
    if train:
        step, arguments = jax.jit(jax.grad(loss, argnums=(0, 1))), (weights, x, scale, *more)
    else:
        step, arguments = jax.jit(forward), (weights, x, *more)
    device = jax.devices()[0].device_kind
    return Contestant(lambda: jax.block_until_ready(step(*arguments)), products, device)


def _torch(
    forward: Callable, weights: list, data: Data, train: bool, products: int, device: str
) -> Contestant:
    import torch

    x = torch.tensor(data.inputs, device=device, requires_grad=train)
    scale = torch.tensor(data.scale, device=device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def step():
        if train:
            torch.autograd.grad((forward(x) * scale).sum(), [x, *weights])
        else:
            with torch.no_grad():
                forward(x)
        wait()

    return Contestant(step, products, torch.cuda.get_device_name() if device == "cuda" else "CPU")
