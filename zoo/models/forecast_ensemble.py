"""Several forecasters of one kind as one network."""

import keras
from keras import ops

from zoo.errors import UserError


@keras.saving.register_keras_serializable(package="zoo")
class ForecastEnsemble(keras.Model):
    """Networks that learn beside each other from the same windows and differ in what they began with.

    What each answers stands on an axis behind that of the batch. The mean of their forecasts, quantile by quantile, has
    no greater squared, absolute or pinball loss than they have on average, for these losses are convex.

    Args:
        members: forecasters of the same kind and sizes, with names of their own; one at least.

    Raises:
        UserError: there are no members.
    """

    def __init__(self, members, **kwargs):
        # a name that does not count up: a preset's weights are found by their paths
        super().__init__(**{"name": "forecast_ensemble", **kwargs})
        self.members = list(members)
        if not self.members:
            raise UserError("ForecastEnsemble: members is empty: give one forecaster at least")

    @property
    def config(self):
        """The arguments of the first member."""
        return self.members[0].config

    def build(self, inputs_shape=None):
        """Make the weights of all members that have none."""
        for member in self.members:
            if not member.built:
                member.build()
        self.built = True

    def call(self, inputs, training=False, **options):
        """Return what the members' `call` returns, (batch, members, ...)."""
        return ops.stack([member(inputs, training=training, **options) for member in self.members], axis=1)

    def forecast(self, inputs):
        """Return what the members' `forecast` returns, (batch, members, ...)."""
        return ops.stack([member.forecast(inputs) for member in self.members], axis=1)

    def sample(self, inputs, paths, seed, horizon=None):
        """Return (batch, paths, horizon): each member draws its part of the paths.

        Args:
            inputs: the dictionary that the members' class tells of.
            paths: how many to draw for each window, at least one for each member.
            seed: as in the members' `sample`.
            horizon: as there.
        """
        count = len(self.members)
        drawn = [
            member.sample(inputs, paths // count + (place < paths % count), seed + place * _APART, horizon)
            for place, member in enumerate(self.members)
        ]
        return ops.concatenate(drawn, axis=1)

    def get_config(self):
        """Return the arguments of `__init__`."""
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return {"name": self.name, "members": members}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the ensemble that `get_config` tells of."""
        members = [keras.saving.deserialize_keras_object(member) for member in config["members"]]
        return cls(members, name=config["name"])


_APART = 1_000_003  # between the seeds of two members
