"""Attention over a masked memory: which steps matter to a query, and their weighted mean."""

from abc import abstractmethod

import keras
from keras import ops

from zoo.cells.cell import linear
from zoo.errors import UserError, unknown

SCORES = ("dot", "general", "concat", "scaled")  # of `MultiplicativeAttention`


def tanh(x):
    """Return tanh x, also of float64: there Keras 3.15 computes in float32 on JAX."""
    is_double = keras.backend.standardize_dtype(x.dtype) == "float64"
    return 2 * ops.sigmoid(2 * x) - 1 if is_double else ops.tanh(x)


class Attention(keras.layers.Layer):
    """Base: an attention says how it scores; the rest is the same for all.

    e_t = score(q, m_t),  α = softmax(e) over the real steps,  c = Σ_t α_t m_t

    The memory is a sequence (batch, time, width), such as what an encoder put out. A query (batch, size), or many
    (batch, queries, size), is what looks for something there, such as the state of a decoder.

    A decoder asks step by step: `keys = project(memory)` is done once, `attend` at each step; both are for use
    inside another layer's call. `call` is the two in one. Masks are always given: beside a second tensor Keras
    hands none on.
    """

    def build(self, query_shape, memory_shape):
        """Make the weights for queries (batch, [queries,] size) and a memory (batch, time, width)."""
        if (
            len(memory_shape) != 3
            or len(query_shape) not in (2, 3)
            or None in (query_shape[-1], memory_shape[-1])
        ):
            raise UserError(
                f"{type(self).__name__}: give a query (batch, [queries,] size) and a memory (batch, time, width) "
                f"of known size and width, not {tuple(query_shape)} and {tuple(memory_shape)}"
            )
        self._build(query_shape[-1], memory_shape[-1])
        self.built = True

    @abstractmethod
    def _build(self, size, width):
        """Make the weights for queries of `size` and a memory of `width`."""

    def project(self, memory):
        """Return the keys (batch, time, k): all that can be done once for a memory (batch, time, width)."""
        return memory

    @abstractmethod
    def scores(self, query, keys):
        """Return e (batch, queries, time) for queries (batch, queries, size)."""

    def attend(self, query, keys, memory, mask=None):
        """Look for the query in the memory.

        Args:
            query: (batch, size) or (batch, queries, size).
            keys: what `project(memory)` returned.
            memory: (batch, time, width).
            mask: boolean (batch, time), true at the memory's real steps. Where none is real, all answers are zero.

        Returns:
            The context (batch, [queries,] `width(memory width)`) and the weights α (batch, [queries,] time).
        """
        if len(query.shape) == 3:
            return self._attend(query, keys, memory, mask)
        context, weights = self._attend(query[:, None], keys, memory, mask)
        return context[:, 0], weights[:, 0]

    def _attend(self, query, keys, memory, mask):
        weights = _softmax(self.scores(query, keys), mask)
        return weights @ memory, weights

    def call(self, query, memory, mask=None, return_weights=False):
        """Return the context, or with `return_weights` the context and the weights; see `attend`."""
        context, weights = self.attend(query, self.project(memory), memory, mask)
        return (context, weights) if return_weights else context

    def compute_mask(self, query, previous_mask=None):
        """Return none: a context has no mask."""
        del query, previous_mask

    def width(self, memory_width):
        """Return the size of the context over a memory of this width."""
        return memory_width

    def _kernel(self, name, rows, columns):
        return self.add_weight(name=name, shape=(rows, columns), initializer="glorot_uniform")


@keras.saving.register_keras_serializable(package="zoo")
class AdditiveAttention(Attention):
    """Additive attention (Bahdanau, Cho & Bengio, 2015, arXiv 1409.0473, appendix A.1.2).

    e_t = v·tanh(W q + U m_t)

    Args:
        units: size of v, a positive integer.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = _positive(f"{type(self).__name__}: units", units)

    def _build(self, size, width):
        self.query_kernel = self._kernel("query_kernel", size, self.units)
        self.memory_kernel = self._kernel("memory_kernel", width, self.units)
        self.vector = self._kernel("vector", self.units, 1)

    def project(self, memory):
        """Return U m, (batch, time, units)."""
        return linear(memory, self.memory_kernel)

    def scores(self, query, keys):
        """Return e (batch, queries, time) for queries (batch, queries, size)."""
        return _additive(linear(query, self.query_kernel), keys, self.vector)

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="zoo")
class MultiplicativeAttention(Attention):
    """The attentions of Luong, Pham & Manning (2015, arXiv 1508.04025, section 3.1) and the scaled product.

    dot      e_t = q·m_t
    general  e_t = q·(W m_t)
    concat   e_t = v·tanh(W [q; m_t])
    scaled   e_t = q·m_t / √size  (Vaswani et al., 2017, arXiv 1706.03762, equation 1)

    Args:
        score: which of them; `"dot"` and `"scaled"` need a memory as wide as the query.
        units: size of v, for `"concat"` alone.

    Raises:
        UserError: no such score, `units` missing or of no use, or sizes that a score can not compare.
    """

    def __init__(self, score="general", units=None, **kwargs):
        super().__init__(**kwargs)
        if score not in SCORES:
            raise unknown("attention score", score, SCORES)
        if score == "concat":
            _positive('MultiplicativeAttention: units, which score="concat" needs,', units)
        elif units is not None:
            raise UserError(
                f"MultiplicativeAttention: score={score!r} has no use for units={units!r}: leave it out"
            )
        self.score = score
        self.units = units

    def _build(self, size, width):
        if self.score == "general":
            self.kernel = self._kernel("kernel", width, size)
        elif self.score == "concat":
            self.size = size
            self.kernel = self._kernel("kernel", size + width, self.units)
            self.vector = self._kernel("vector", self.units, 1)
        elif size != width:
            raise UserError(
                f"MultiplicativeAttention: score={self.score!r} needs a query and a memory of one size, not {size} "
                f'and {width}: take score="general"'
            )

    def project(self, memory):
        """Return what the query is compared with, (batch, time, k)."""
        if self.score == "general":
            return linear(memory, self.kernel)
        if self.score == "concat":
            return linear(memory, self.kernel.value[self.size :])
        return memory * memory.shape[-1] ** -0.5 if self.score == "scaled" else memory

    def scores(self, query, keys):
        """Return e (batch, queries, time) for queries (batch, queries, size)."""
        if self.score == "concat":
            return _additive(linear(query, self.kernel.value[: self.size]), keys, self.vector)
        return _products(query, keys)

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "score": self.score, "units": self.units}


@keras.saving.register_keras_serializable(package="zoo")
class MultiHeadAttention(Attention):
    """Several scaled products at once, each in a space of its own (Vaswani et al., 2017, section 3.2.2).

    head_i = Σ_t α_it V_i m_t,  α_i = softmax_t(Q_i q · K_i m_t / √(units / heads)),  c = W [head_1; ...; head_n]

    The weights that `attend` returns are the mean over the heads.

    Args:
        units: size of all heads together, and of the context.
        heads: how many; they divide `units`.

    Raises:
        UserError: `heads` do not divide `units`.
    """

    def __init__(self, units, heads=4, **kwargs):
        super().__init__(**kwargs)
        self.units = _positive("MultiHeadAttention: units", units)
        self.heads = _positive("MultiHeadAttention: heads", heads)
        if units % heads:
            raise UserError(
                f"MultiHeadAttention: heads={heads} do not divide units={units}: choose a divisor"
            )

    def _build(self, size, width):
        self.query_kernel = self._kernel("query_kernel", size, self.units)
        self.key_kernel = self._kernel("key_kernel", width, self.units)
        self.value_kernel = self._kernel("value_kernel", width, self.units)
        self.output_kernel = self._kernel("output_kernel", self.units, self.units)

    def project(self, memory):
        """Return K m beside V m, (batch, time, 2 * units)."""
        scale = (self.units // self.heads) ** -0.5
        keys, values = linear(memory, self.key_kernel), linear(memory, self.value_kernel)
        return ops.concatenate([scale * keys, values], axis=-1)

    def scores(self, query, keys):
        """Return e (batch, queries * heads, time) for queries (batch, queries, size)."""
        # each head as a query of full width, zero outside of the head's columns: nothing of the size of the memory
        # is moved at a step
        heads = ops.reshape(linear(query, self.query_kernel), self._shape(query, 1, -1)) * self._own(query)
        return _products(ops.reshape(heads, (-1, ops.shape(query)[1] * self.heads, self.units)), keys)

    def _attend(self, query, keys, memory, mask):
        keys, values = keys[..., : self.units], keys[..., self.units :]
        weights = _softmax(self.scores(query, keys), mask)
        seen = ops.reshape(weights @ values, self._shape(query, self.heads, -1)) * self._own(query)
        heads = ops.reshape(ops.sum(seen, axis=2), (*self._shape(query)[:2], self.units))
        # not ops.mean, which on JAX computes float64 in float32 (Keras 3.15)
        mean = ops.sum(ops.reshape(weights, self._shape(query, -1)), axis=2) / self.heads
        return linear(heads, self.output_kernel), mean

    def _shape(self, query, *rest):
        batch, queries = ops.shape(query)[:2]
        return (batch, queries, self.heads, *rest)

    def _own(self, query):
        """Return (heads, heads, 1): one where a head meets its own columns."""
        return ops.eye(self.heads, dtype=query.dtype)[..., None]

    def width(self, memory_width):
        """Return the size of the context, `units`."""
        return self.units

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "units": self.units, "heads": self.heads}


ATTENTIONS = {
    "additive": lambda units, heads, **kwargs: AdditiveAttention(units, **kwargs),
    "dot": lambda units, heads, **kwargs: MultiplicativeAttention("dot", **kwargs),
    "general": lambda units, heads, **kwargs: MultiplicativeAttention("general", **kwargs),
    "concat": lambda units, heads, **kwargs: MultiplicativeAttention("concat", units, **kwargs),
    "scaled": lambda units, heads, **kwargs: MultiplicativeAttention("scaled", **kwargs),
    "multi_head": lambda units, heads, **kwargs: MultiHeadAttention(units, heads, **kwargs),
}


def make_attention(name, /, units, heads=4, **kwargs):
    """Return the attention of this name.

    Args:
        name: one of `ATTENTIONS`.
        units: of those that have units of their own.
        heads: of `"multi_head"`.
        kwargs: further arguments of a Keras layer, such as `dtype`.

    Raises:
        UserError: no attention has that name.
    """
    if name not in ATTENTIONS:
        raise unknown("attention", name, ATTENTIONS)
    return ATTENTIONS[name](units, heads, **kwargs)


def _positive(where, value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{where} must be a positive integer, not {value!r}")
    return value


def _products(query, keys):
    """Return the products of queries (batch, queries, k) and keys (batch, time, k), (batch, queries, time)."""
    return query @ ops.transpose(keys, (0, 2, 1))  # the other way round takes PyTorch ten times as long


def _additive(query, keys, vector):
    """Return v·tanh(q + k) (batch, queries, time) for queries (batch, queries, units)."""
    return linear(tanh(query[:, :, None] + keys[:, None]), vector)[..., 0]


def _softmax(scores, mask):
    """Return the softmax of scores (batch, queries, time) over the steps where mask (batch, time) holds.

    Rows without a real step are zero.
    """
    if mask is not None:
        mask = ops.cast(mask, "bool")[:, None]
        # finite, or a row without a real step would have no gradient
        least = -6e4 if keras.backend.standardize_dtype(scores.dtype) == "float16" else -1e9
        scores = ops.where(mask, scores, ops.full_like(scores, least))
    # Keras warns of a softmax over a single step
    weights = ops.ones_like(scores) if scores.shape[-1] == 1 else ops.softmax(scores)
    return weights if mask is None else ops.where(mask, weights, ops.zeros_like(weights))
