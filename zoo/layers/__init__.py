"""Recurrent layers: one for every cell of the catalogue, and what stands around them."""

from zoo.layers.attention import (
    ATTENTIONS,
    AdditiveAttention,
    Attention,
    MultiHeadAttention,
    MultiplicativeAttention,
    make_attention,
)
from zoo.layers.attention_recurrent import AttentionRecurrent
from zoo.layers.dilated_stack import DilatedStack
from zoo.layers.ngram_embedding import NgramEmbedding
from zoo.layers.pooling import POOLINGS, AttentionPooling, MaxPooling, MeanPooling
from zoo.layers.recurrent import LAYERS, Recurrent
from zoo.layers.reversible_normalization import NORMALIZATIONS, ReversibleNormalization
from zoo.layers.stacks import RecurrentStack
from zoo.layers.word_dropout import WordDropout

globals().update({layer.__name__: layer for layer in LAYERS.values()})

__all__ = [
    "ATTENTIONS",
    "LAYERS",
    "NORMALIZATIONS",
    "POOLINGS",
    "AdditiveAttention",
    "Attention",
    "AttentionPooling",
    "AttentionRecurrent",
    "DilatedStack",
    "MaxPooling",
    "MeanPooling",
    "MultiHeadAttention",
    "MultiplicativeAttention",
    "NgramEmbedding",
    "Recurrent",
    "RecurrentStack",
    "ReversibleNormalization",
    "WordDropout",
    "make_attention",
    *(layer.__name__ for layer in LAYERS.values()),
]
