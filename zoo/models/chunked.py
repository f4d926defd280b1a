"""A classifier's answer for sequences that come in chunks: no tensor is longer than a chunk.

A recurrence goes on from the states in which it ended the chunk before; the backward one comes from the last chunk. A
layer on two directions needs, in each chunk, the outputs of both: they are computed again, from the states at the
chunk's two borders. So what is kept of a sequence are its states at the borders, and the poolings' summaries.
"""

from keras import ops

# no public name; Keras opens this scope for a layer's call, and the stack is run without one
from keras.src.backend import AutocastScope

_LAST = "last"  # the pooling that is none


class Walk:
    """One walk over the chunks of sequences, in their order or from the last one to the first.

    Its directions begin each chunk with the states at the chunk's border: those that move with the walk in the
    states that they ended the chunk before with, the others in those that an earlier walk found.

    Args:
        network: a `zoo.models.RecurrentClassifier`.
        directions: the names of the stack's directions that run.
        backwards: whether the walk begins with the last chunk.

    Attributes:
        moving: the names of those that go the way of the walk.
        pools: whether the poolings get their summaries: on the walk on which all directions run.
        before: how many ids before a chunk its embeddings depend on.
    """

    def __init__(self, network, directions, backwards):
        layers = {layer.name: layer for level in network.parts["stack"].layers for layer in level}
        self.network = network
        self.directions = directions
        self.backwards = backwards
        self.moving = [name for name in directions if layers[name].go_backwards == backwards]
        self.pools = len(directions) == len(layers)
        self.before = network.config["ngrams"] - 1

    def step(self, ids, states, summaries):
        """Take in a chunk.

        Args:
            ids: integers (batch, before + time), the ids before the chunk and its own; 0 is padding.
            states: for each of the directions the list of states at the border where it begins.
            summaries: what `no_summaries` returns for a start, then what came from the chunk before; any
                dictionary where the walk does not pool.

        Returns:
            The states at the other border for each direction that moves, and the summaries.
        """
        before, ids = ids[:, : self.before], ids[:, self.before :]
        mask = ops.not_equal(ids, 0)
        stack, embedded = self.network.parts["stack"], self.network.embed(ids, before=before)
        with AutocastScope(stack.compute_dtype):
            outputs, last = stack.run(embedded, states, mask)
        if self.pools:
            summaries = self._summarised(outputs, mask, summaries)
        return {name: last[name] for name in self.moving}, summaries

    def _summarised(self, outputs, mask, summaries):
        poolings = self.network.parts["poolings"]
        if not poolings:
            return {_LAST: self._last(outputs, *summaries[_LAST])}
        return {
            name: pooling.merged(summaries[name], _summary(pooling, outputs, mask))
            for name, pooling in poolings.items()
        }

    def _last(self, outputs, earlier, seen):
        """Return the last outputs so far: of the direction that does not move, those of the walk's first chunk."""
        outputs = ops.cast(outputs, earlier.dtype)
        if len(self.moving) == len(self.directions):
            return outputs, ops.ones_like(seen)
        forward, backward = (earlier, outputs) if self.backwards else (outputs, earlier)
        width = outputs.shape[-1] // 2
        both = ops.concatenate([forward[:, :width], backward[:, width:]], axis=-1)
        return ops.where(seen > 0, both, outputs), ops.ones_like(seen)


def walks(network) -> list[Walk]:
    """Return the walks that lead to the answer of a `RecurrentClassifier`, in their order.

    One direction takes one walk. In both, each level takes two: where its second one moves, the next level's first
    direction, which needs its outputs, moves along; so there is one walk more than levels.
    """
    levels = [[layer.name for layer in level] for level in network.parts["stack"].layers]
    if len(levels[0]) == 1:
        return [Walk(network, [name for (name,) in levels], False)]
    found = []
    for number in range(len(levels) + 1):
        backwards = number % 2 == 0
        below = [name for level in levels[:number] for name in level]
        first = [level[backwards] for level in levels[number : number + 1]]
        found.append(Walk(network, [*below, *first], backwards))
    return found


def no_summaries(network):
    """Return the summaries of no chunk at all, (1, ...) each: those of a masked step."""
    stack = network.parts["stack"]
    width = stack.compute_output_shape((1, 1, network.config["embedding_dim"]))[-1]
    poolings = network.parts["poolings"]
    if not poolings:
        return {_LAST: (ops.zeros((1, width), "float32"), ops.zeros((1, 1), "float32"))}
    step = ops.zeros((1, 1, width), stack.compute_dtype)
    return {name: _summary(pooling, step, ops.zeros((1, 1), "bool")) for name, pooling in poolings.items()}


def logits(network, summaries):
    """Return the logits (batch, classes) of the summaries of all chunks."""
    poolings = network.parts["poolings"]
    if not poolings:
        return network.from_pooled(summaries[_LAST][0])
    pooled = [pooling.finished(summaries[name]) for name, pooling in poolings.items()]
    return network.from_pooled(ops.concatenate(pooled, axis=-1))


def _summary(pooling, outputs, mask):
    """Return the summary of a chunk in float32: many chunks are merged."""
    mask = ops.cast(mask, outputs.dtype)[..., None]
    return tuple(ops.cast(part, "float32") for part in pooling.summary(outputs, mask))
