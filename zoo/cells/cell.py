"""The three kinds of recurrent cell. A cell knows one step; `zoo.loops` knows time."""

import inspect
from abc import abstractmethod

import keras
from keras import activations, constraints, initializers, ops, regularizers

from zoo.errors import UserError

_GETTERS = {
    "activation": activations,
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}


def linear(x, kernel):
    """Return `x @ kernel` over the last axis: (..., inputs) times (inputs, outputs) is (..., outputs).

    All leading axes are folded into one, so that a sequence is projected by a single product.
    """
    kernel = getattr(kernel, "value", kernel)
    if len(x.shape) <= 2:
        return x @ kernel  # not ops.matmul, which on PyTorch computes float64 in float32 (Keras 3.15)
    shape = ops.shape(x)
    return ops.reshape(ops.reshape(x, (-1, shape[-1])) @ kernel, (*shape[:-1], kernel.shape[-1]))


def keep(x):
    """Return `x`: the recurrent dropout of a step without dropout."""
    return x


class Cell(keras.layers.Layer):
    """A recurrence: how inputs and old states become new states.

    A cell file declares `states` and `gates` and writes two functions:

    - `project(inputs)` -> `x`: all that can be done for the whole sequence at once. The leading axes of
      `inputs` are (time, batch) or (batch,).
    - `step(x, *states, drop)` -> new states, for one step; `x` is (batch, ...). `drop` is to be applied to
      whatever enters a recurrent product: it is the sequence's recurrent dropout, or does nothing.

    and, where its output is not its first state, `output(x, *states)`.

    Weights are fused as in Keras, one block of `units` columns for each name in `gates`: `kernel`
    (inputs, blocks * units), `recurrent_kernel` (units, blocks * units) and `bias` (blocks * units,).

    Args:
        units: size of the output, a positive integer.
        activation: of the candidate and the memory.
        recurrent_activation: of the gates.
        use_bias: whether the products have a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: of the weights.
        unit_forget_bias: start the bias of a forget gate at one (Jozefowicz et al., 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        dropout: share of the inputs to drop, the same ones at all steps of a sequence.
        recurrent_dropout: share of the first state to drop where it enters a recurrent product, the same
            entries at all steps of a sequence (Gal & Ghahramani, 2016).
        seed: of the dropout masks.

    Raises:
        UserError: an argument is out of range, or has no meaning in this cell.
    """

    states: tuple[str, ...] = ("h",)
    gates: tuple[str, ...] = ("candidate",)
    unused: tuple[str, ...] = ()  # arguments that have no meaning in this cell

    def __init__(
        self,
        units,
        *,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        given = {name: value for name, value in locals().items() if name in parameters(Cell)}
        for name, value in given.items():
            if name in self.unused and value != parameters(Cell)[name].default:
                raise UserError(f"{type(self).__name__} has no use for {name}={value!r}: leave it out")
            setattr(self, name, self._checked(name, value))
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout or recurrent_dropout else None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for base in cls.__bases__:
            if issubclass(base, Cell) and base.__module__ != __name__:
                raise TypeError(f"{cls.__name__}: {base.__name__} is finished; wrap it or write a new cell")
        keras.saving.register_keras_serializable(package=cls.__module__.split(".")[0])(cls)

    def _checked(self, name, value):
        where = f"{type(self).__name__}: {name}"
        if name == "units" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise UserError(f"{where} must be a positive integer, not {value!r}")
        is_rate = isinstance(value, (int, float)) and 0 <= value < 1
        if name in ("dropout", "recurrent_dropout") and not is_rate:
            raise UserError(f"{where} must be a number, at least 0 and below 1, not {value!r}")
        getter = _GETTERS.get(name.rsplit("_", 1)[-1])
        if getter is None:
            return value
        try:
            return getter.get(value)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{where} {value!r} is not known to Keras: give its name or a callable"
            ) from error

    # --- the equations -------------------------------------------------------------------------------------

    def project(self, inputs):
        """Return `W x + b` for a whole sequence: (..., inputs) -> (..., blocks * units)."""
        x = linear(inputs, self.kernel)
        return x + self.bias if self.use_bias else x

    @abstractmethod
    def step(self, x, *states, drop=keep):
        """Return the new states, a tuple of tensors (batch, ...) in the order of `states`."""

    def output(self, x, *states):
        """Return what the layer shows after a step, (batch, units): by default the first state."""
        return states[0]

    def gate(self, name, z):
        """Return the gate called `name`: its pre-activation `z` through `recurrent_activation`."""
        return self.recurrent_activation(z)

    def act(self, name, z):
        """Return the value called `name`: its pre-activation `z` through `activation`."""
        if self.activation is activations.tanh and self.compute_dtype == "float64":
            return 2 * ops.sigmoid(2 * z) - 1  # on JAX, Keras 3.15 computes tanh of float64 in float32
        return self.activation(z)

    def split(self, z):
        """Return the blocks of `z` (..., blocks * units), one tensor for each name in `gates`."""
        return ops.split(z, len(self.gates), axis=-1)

    # --- weights and states ----------------------------------------------------------------------------------

    def build(self, input_shape):
        """Make the weights; `input_shape` ends in the number of inputs."""
        if input_shape[-1] is None:
            raise UserError(
                f"{type(self).__name__}: the last axis of the inputs must be known: {input_shape}"
            )
        width = len(self.gates) * self.units
        self.kernel = self._weight("kernel", (input_shape[-1], width), "kernel")
        if not isinstance(self, LinearCell):
            self.recurrent_kernel = self._weight("recurrent_kernel", (self.units, width), "recurrent")
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self.bias_shape,
                initializer=self._initial_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def _weight(self, name, shape, role):
        initializer = getattr(self, f"{role}_initializer")
        return self.add_weight(
            name=name,
            shape=shape,
            # in float32: an orthogonal start needs a decomposition that lower precisions lack
            initializer=lambda shape, dtype: ops.cast(initializer(shape, _at_least_float32(dtype)), dtype),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
        )

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias."""
        return (len(self.gates) * self.units,)

    def _initial_bias(self, shape, dtype):
        bias = self.bias_initializer(shape, _at_least_float32(dtype))
        if self.unit_forget_bias and "forget" in self.gates:
            forget = [float(gate == "forget") for gate in self.gates for _ in range(self.units)]
            bias = ops.where(ops.cast(forget, "bool"), ops.ones_like(bias), bias)
        return ops.cast(bias, dtype)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each state without the batch axis."""
        return tuple((self.units,) for _ in self.states)

    @property
    def shown(self) -> tuple[int, ...]:
        """Numbers of the states that `output` is made from."""
        return (0,) if type(self).output is Cell.output else tuple(range(len(self.states)))

    @property
    def state_size(self) -> list[int]:
        """Keras's cell contract: the size of each state."""
        return [shape[0] for shape in self.state_shapes]

    @property
    def output_size(self) -> int:
        """Size of the output's last axis (Keras's cell contract)."""
        return self.units

    def get_initial_state(self, batch_size=None):
        """Return a list of zeros, one tensor (batch_size, ...) for each state."""
        return [ops.zeros((batch_size, *shape), dtype=self.compute_dtype) for shape in self.state_shapes]

    def call(self, inputs, states, training=False):
        """Take one step, as `keras.layers.RNN(cell)` asks for it.

        Args:
            inputs: (batch, inputs).
            states: one tensor (batch, ...) for each state.
            training: refused with dropout: a cell does not know where a sequence begins.

        Returns:
            The output (batch, units) and the list of new states.
        """
        if training and self.seed_generator is not None:
            raise UserError(
                f"{type(self).__name__}: dropout needs zoo.layers.Recurrent(cell) around the cell"
            )
        states = states if isinstance(states, (list, tuple)) else [states]
        x = self.project(inputs)
        states = self.step(x, *states)
        return self.output(x, *states), list(states)

    def compute_output_shape(self, input_shape, states_shape=None):
        """Return the shapes of `call`'s answer."""
        states = [(input_shape[0], *shape) for shape in self.state_shapes]
        return (input_shape[0], self.output_size), states

    def get_config(self):
        """Return the arguments of `__init__`."""
        config = super().get_config()
        for name in parameters(type(self)):
            if name not in self.unused:
                module = _GETTERS.get(name.rsplit("_", 1)[-1])
                value = getattr(self, name)
                config[name] = module.serialize(value) if module else value
        return config


class GatedCell(Cell):
    """A cell whose only product with an old state is one that comes first and is linear in its weights.

    A cell file writes `update(x, u, *states)` -> new states, elementwise over (batch, units), where `u` is
    `recurrent(*states)`. `x` and `u` come apart: most cells add them, some do not. A single state need
    not be wrapped in a tuple.
    """

    @abstractmethod
    def update(self, x, u, *states):
        """Return the new states from projected inputs `x`, recurrent products `u` and old states."""

    def recurrent(self, *states):
        """Return `U h` (batch, blocks * units)."""
        return linear(states[0], self.recurrent_kernel)

    def step(self, x, *states, drop=keep):
        """Return the new states."""
        return self.updated(x, self.recurrent(drop(states[0]), *states[1:]), *states)

    def updated(self, x, u, *states):
        """Return `update`'s answer as a tuple."""
        new = self.update(x, u, *states)
        return new if isinstance(new, tuple) else (new,)


class LinearCell(Cell):
    """A cell that is linear in its states: `s' = a * s + b`, with `a` and `b` from the inputs alone.

    A cell file writes `coefficients(x)` -> `a, b`; each is a tensor (..., units), or a tuple with one for
    each state. All time steps can then be done at once (a scan).
    """

    unused = ("recurrent_initializer", "recurrent_regularizer", "recurrent_constraint", "recurrent_dropout")

    @abstractmethod
    def coefficients(self, x):
        """Return `a, b` from projected inputs (..., blocks * units)."""

    def factors(self, x):
        """Return `coefficients`'s answer as two tuples."""
        return tuple(c if isinstance(c, tuple) else (c,) for c in self.coefficients(x))

    def step(self, x, *states, drop=keep):
        """Return the new states."""
        a, b = self.factors(x)
        return tuple(a * s + b for a, s, b in zip(a, states, b, strict=True))


def parameters(cls) -> dict[str, inspect.Parameter]:
    """Return the arguments of a cell's `__init__`, those it hands on to the base included."""
    parameters = {}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            own = list(inspect.signature(base.__init__).parameters.values())[1:]
            parameters |= {p.name: p for p in own if p.kind is not p.VAR_KEYWORD and p.name not in parameters}
        if base is Cell:
            return parameters
    raise TypeError(f"{cls.__name__} is not a cell")


def _at_least_float32(dtype) -> str:
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"
