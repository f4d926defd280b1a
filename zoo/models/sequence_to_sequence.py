"""A recurrent encoder and decoder with attention: ids of one language to ids of another."""

import itertools

import keras
from keras import ops

from zoo.cells import get
from zoo.errors import UserError, check_range, unknown
from zoo.layers import ATTENTIONS, AttentionRecurrent, Recurrent, RecurrentStack, make_attention
from zoo.losses import softmax_nll


@keras.saving.register_keras_serializable(package="zoo")
class RecurrentSequenceToSequence(keras.Model):
    """Encoder, bridge, attention decoder, tied softmax (Bahdanau, Cho & Bengio, 2015; Luong, Pham & Manning, 2015).

        memory = stack(E source)                                  both directions
        s_0    = tanh(W mean(memory) + b)                         the bridge, one for each state of the decoder
        h_t, c_t = attention over memory, from cell([E y_{t-1}; c_{t-1}], s_{t-1})
        h_t    = further cells of [h_t; c_t]
        p_t    = softmax(E tanh(W [h_t; c_t; E y_{t-1}] + b) + b')

    One embedding E serves source, target and softmax (Press & Wolf, 2017), so both languages share their ids. Without
    attention, c_t is the mean of the memory at all steps (Cho et al., 2014).

    Called with `{"source": ids (batch, time), "target": ids between start and end (batch, steps)}`, it returns
    for each pair, (batch,), the negative log-likelihood in nats of the target's ids after the first one, weighted so
    that the mean over the batch is the mean over all ids; id 0 is padding, and left out.

    Args:
        vocabulary_size: number of ids, padding included.
        cell: name of a cell of the catalogue, of encoder and decoder.
        units: size of each recurrent layer and direction.
        encoder_layers: number of recurrent layers of the encoder.
        decoder_layers: number of recurrent layers of the decoder; the lowest one attends.
        bidirectional: whether the encoder's layers run both ways.
        residual: add a layer's input to its output where both have the same width, in the encoder.
        embedding_dim: size of an embedding.
        attention: name of an attention (`zoo.layers.ATTENTIONS`), or `"none"`.
        attention_units: size of its hidden layer or product; None: `units`.
        heads: how many, where attention has several.
        input_feeding: whether the decoder's lowest cell sees what was attended to a step before.
        input_dropout: share of the embeddings' features to drop, of source and target.
        dropout: the same of the memory, and between layers.
        output_dropout: the same before the softmax. Each draws the same features for all steps of a sequence.
        recurrent_dropout: of the cells.
        label_smoothing: share of each target distribution that is spread evenly while training.
        seed: of all that is drawn.

    Raises:
        UserError: an unknown cell or attention, or a number out of range.
    """

    def __init__(
        self,
        vocabulary_size,
        *,
        cell="gru",
        units=256,
        encoder_layers=1,
        decoder_layers=2,
        bidirectional=True,
        residual=False,
        embedding_dim=256,
        attention="additive",
        attention_units=None,
        heads=4,
        input_feeding=True,
        input_dropout=0.0,
        dropout=0.0,
        output_dropout=0.0,
        recurrent_dropout=0.0,
        label_smoothing=0.0,
        seed=None,
        **kwargs,
    ):
        config = {
            name: value for name, value in locals().items() if name not in ("self", "kwargs", "__class__")
        }
        name = type(self).__name__
        if attention != "none" and attention not in ATTENTIONS:
            raise unknown("attention", attention, ["none", *ATTENTIONS])
        for key in ("vocabulary_size", "units", "encoder_layers", "decoder_layers", "embedding_dim", "heads"):
            if not isinstance(config[key], int) or config[key] < 1:
                raise UserError(f"{name}: {key} must be a positive integer, not {config[key]!r}")
        for key in ("input_dropout", "dropout", "output_dropout", "recurrent_dropout", "label_smoothing"):
            check_range(key, config[key], 0, below=1)
        # a name that does not count up: a preset's weights are found by their paths
        super().__init__(**{"name": "recurrent_sequence_to_sequence", **kwargs})
        self.config = config
        seeds = itertools.repeat(None) if seed is None else itertools.count(seed + 1)

        def dropped(rate, name):
            return keras.layers.SpatialDropout1D(rate, seed=next(seeds), name=name) if rate else None

        def make_cell():
            return get(cell)(units, recurrent_dropout=recurrent_dropout, seed=next(seeds), name="cell")

        self.embedding = keras.layers.Embedding(
            vocabulary_size,
            embedding_dim,
            embeddings_initializer=keras.initializers.RandomNormal(
                stddev=embedding_dim**-0.5, seed=next(seeds)
            ),
            name="embedding",
        )
        self.encoder = RecurrentStack(
            cell,
            (units,) * encoder_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            residual=residual,
            return_sequences=True,
            seed=seed,
            name="encoder",
        )
        if attention == "none":
            self.attending = Recurrent(make_cell(), return_sequences=True, name="decoder_0")
        else:
            mechanism = make_attention(attention, attention_units or units, heads=heads, name="attention")
            self.attending = AttentionRecurrent(
                make_cell(), mechanism, input_feeding=input_feeding, name="decoder_0"
            )
        self.upper = [
            Recurrent(make_cell(), return_sequences=True, name=f"decoder_{number}")
            for number in range(1, decoder_layers)
        ]
        first_states = self.attending.cell.state_shapes
        self.bridge = [
            keras.layers.Dense(shape[0], activation="tanh", name=f"bridge_{number}")
            for number, shape in enumerate(first_states * decoder_layers)
        ]
        self.readout = keras.layers.Dense(embedding_dim, activation="tanh", name="readout")
        self.source_dropout = dropped(input_dropout, "source_dropout")
        self.target_dropout = dropped(input_dropout, "target_dropout")
        self.memory_dropout = dropped(dropout, "memory_dropout")
        self.layer_dropouts = [dropped(dropout, f"dropout_{number}") for number in range(1, decoder_layers)]
        self.output_dropout = dropped(output_dropout, "output_dropout")

    # === weights ===

    def build(self, inputs_shape=None):
        """Make the weights; they are the same for inputs of any shape."""
        config = self.config
        width, context = self.memory_width, self.context_width
        features, units = config["embedding_dim"], config["units"]
        self.embedding.build((None, None))
        self.encoder.build((None, None, features))
        if self.attends:
            self.attending.build((None, None, features), (None, None, width))
        else:
            self.attending.build((None, None, features + width))
        for layer in self.upper:
            layer.build((None, None, units + context))
        for layer in self.bridge:
            layer.build((None, width))
        self.readout.build((None, units + context + features))
        self.bias = self.add_weight(
            shape=(config["vocabulary_size"],), initializer="zeros", name="softmax_bias"
        )
        self.built = True

    @property
    def attends(self) -> bool:
        """Whether the decoder has attention."""
        return self.config["attention"] != "none"

    @property
    def memory_width(self) -> int:
        """Size of the encoder's output at each step."""
        return self.config["units"] * (2 if self.config["bidirectional"] else 1)

    @property
    def context_width(self) -> int:
        """Size of what the attention gives at each step."""
        return self.attending.attention.width(self.memory_width) if self.attends else self.memory_width

    # === the likelihood of given targets ===

    def call(self, inputs, training=False):
        """Return the weighted losses (batch,) of `inputs`: see `token_nll`."""
        loss, counted = self.token_nll(inputs, training)
        count = ops.cast(ops.shape(loss)[0], loss.dtype)
        return ops.sum(loss, axis=1) * count / ops.maximum(ops.sum(counted), 1)

    def token_nll(self, inputs, training=False):
        """Return the negative log-likelihoods of the target's ids, and which of them count.

        Both are (batch, steps - 1), the second one ones and zeros; while training the first is smoothed.

        Args:
            inputs: `source`, ids (batch, time), and `target`, ids (batch, steps) that begin with the start's and end
                with the end's.
            training: whether dropout and smoothing are on.
        """
        source, target = inputs["source"], inputs["target"]
        contexts, _ = self.decode(source, target[:, :-1], training)
        wanted = target[:, 1:]
        shape = ops.shape(wanted)
        nll = softmax_nll(
            ops.reshape(contexts, (-1, self.config["embedding_dim"])),
            ops.reshape(wanted, (-1,)),
            *self._softmax_weights(contexts.dtype),
            self.config["label_smoothing"] if training else 0.0,
        )
        counted = ops.cast(wanted != 0, nll.dtype)
        return ops.reshape(nll, shape) * counted, counted

    def decode(self, source, target, training=False):
        """Return what the softmax is computed from, (batch, steps, embedding_dim), and the attention.

        Args:
            source: ids (batch, time).
            target: ids (batch, steps), the first of which is the start.
            training: whether dropout is on.

        Returns:
            The second is (batch, steps, time), or None without attention.
        """
        memory, mask = self.encode(source, training)
        summary = self.summary(memory, mask)
        states = self.first_states(summary)
        embedded = self.embedding(target)  # no mask: what stands behind the end changes nothing before it
        if self.target_dropout is not None:
            embedded = self.target_dropout(embedded, training=training)
        count = len(self.attending.cell.states)
        if self.attends:
            outputs, weights, _ = self.attending.run(
                embedded, memory, states[:count], None, mask, training=training
            )
            h, context = outputs[..., : self.config["units"]], outputs[..., self.config["units"] :]
        else:
            steps = ops.shape(target)[1]
            context, weights = ops.repeat(summary[:, None], steps, axis=1), None
            seen = ops.concatenate([embedded, context], axis=-1)
            h = self.attending(seen, initial_state=states[:count], training=training)
        for number, layer in enumerate(self.upper, 1):
            if self.layer_dropouts[number - 1] is not None:
                h = self.layer_dropouts[number - 1](h, training=training)
            first = states[number * count : (number + 1) * count]
            seen = ops.concatenate([h, context], axis=-1)
            h = layer(seen, initial_state=first, training=training)
        contexts = self.readout(ops.concatenate([h, context, embedded], axis=-1))
        if self.output_dropout is not None:
            contexts = self.output_dropout(contexts, training=training)
        return contexts, weights

    # === step by step ===

    def encode(self, source, training=False):
        """Return the memory (batch, time, width) of ids (batch, time), and its mask (batch, time)."""
        mask = source != 0
        x = self.embedding(source)
        if self.source_dropout is not None:
            x = self.source_dropout(x, training=training)
        memory = self.encoder(x, mask=mask, training=training)
        if self.memory_dropout is not None:
            memory = self.memory_dropout(memory, training=training)
        return memory, mask

    def summary(self, memory, mask):
        """Return the mean of the memory over its real steps, (batch, width)."""
        real = ops.cast(mask, memory.dtype)[..., None]
        return ops.sum(memory * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)

    def first_states(self, summary):
        """Return the states that the decoder begins with, a list of tensors (batch, units)."""
        return [layer(summary) for layer in self.bridge]

    def begin(self, source):
        """Return what a search needs of ids (batch, time): what every step sees, and the states before the first.

        Returns:
            `fixed`, a dictionary of tensors (batch, ...), and `states`, a list of tensors (batch, ...).
        """
        memory, mask = self.encode(source)
        summary = self.summary(memory, mask)
        states = self.first_states(summary)
        if not self.attends:
            return {"summary": summary}, states
        count = len(self.attending.cell.states)
        if self.config["input_feeding"]:
            fed = self.attending.get_initial_state(ops.shape(source)[0])[count:]
            states = [*states[:count], *fed, *states[count:]]
        return {"memory": memory, "mask": mask, "keys": self.attending.keys(memory)}, states

    def step(self, tokens, states, fixed):
        """Take one step of a search.

        Args:
            tokens: the ids written a step before, (rows,).
            states: those of the step before.
            fixed: what `begin` returned, a row for each of `tokens`.

        Returns:
            Logits (rows, vocabulary_size) in float32, the new states, and the attention (rows, time) or None.
        """
        embedded = self.embedding(tokens)
        count = len(self.attending.cell.states)
        if self.attends:
            fed = count + bool(self.config["input_feeding"])
            outputs, weights, new = self.attending.step(
                embedded, states[:fed], fixed["keys"], fixed["memory"], fixed["mask"]
            )
            h, context = outputs[:, : self.config["units"]], outputs[:, self.config["units"] :]
        else:
            fed, context, weights = count, fixed["summary"], None
            h, new = self.attending.step(ops.concatenate([embedded, context], axis=-1), states[:fed])
        new = list(new)
        for number, layer in enumerate(self.upper):
            first = fed + number * count
            h, after = layer.step(ops.concatenate([h, context], axis=-1), states[first : first + count])
            new += after
        contexts = self.readout(ops.concatenate([h, context, embedded], axis=-1))
        table, bias = self._softmax_weights(contexts.dtype)
        return ops.cast(contexts @ ops.transpose(table) + bias, "float32"), new, weights

    def _softmax_weights(self, dtype):
        return [
            ops.cast(ops.convert_to_tensor(each), dtype) for each in (self.embedding.embeddings, self.bias)
        ]

    # === config ===

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {"name": self.name, **self.config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network that `get_config` tells of."""
        return cls(**config)
