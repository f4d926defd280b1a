"""ETT and M4 as TFDS data sets, made from files in a folder: `tfds:zoo_ett/ettm1`, `tfds:zoo_m4/hourly`."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from applications.forecasting import data


class _Series(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Series of a corpus, an example each: a split holds them up to its end, with all the history before."""

    VERSION = tfds.core.Version("1.0.0")
    KIND = ""  # of `data.CORPORA`
    url_infos = {}  # noqa: RUF012 (nothing is fetched)

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "series": tfds.features.Text(),
                    "start": tfds.features.Text(),  # the time of the first value
                    "frequency": tfds.features.Text(),  # pandas' name of the step
                    "values": tfds.features.Sequence(np.float64),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(Path(dl_manager.manual_dir), split) for split in data.MONTHS}

    def _generate_examples(self, folder: Path, split: str):
        from zoo.tasks.panel import read_frame

        name = _name(self)
        file = data.find_file(self.KIND, folder, name)
        if file is None:
            raise FileNotFoundError(f"{folder}: holds no data of {name}: {self.MANUAL_DOWNLOAD_INSTRUCTIONS}")
        table = data.load(f"{self.KIND}:{file}", split)
        panel = read_frame(table.frame, **table.columns)
        for series, times, values in zip(panel.names, panel.times, panel.values, strict=True):
            facts = {"start": str(times[0]), "frequency": corpus(self).frequency}
            yield series, {"series": series, **facts, "values": values}


class ZooEtt(_Series):
    """Load and oil temperature of electricity transformers (Zhou et al., 2021), 12, 4 and 4 months of 30 days."""

    KIND = "ett"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name.lower()) for name in data.ETT]  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Put ETTh1.csv, ETTm1.csv (plain, .gz or .xz) into manual_dir."


class ZooM4(_Series):
    """Hourly and weekly series of the M4 competition (Makridakis, Spiliotis & Assimakopoulos, 2020)."""

    KIND = "m4"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name.lower()) for name in data.M4]  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put Hourly-train.csv, Hourly-test.csv, Weekly-train.csv, Weekly-test.csv (plain, .gz or .xz) into manual_dir, "
        "or into its folders Train and Test."
    )


def corpus(builder: tfds.core.DatasetBuilder) -> data.Corpus:
    """Return what is known of the data set of a builder."""
    return data.CORPORA[builder.KIND][_name(builder)]


def _name(builder: tfds.core.DatasetBuilder) -> str:
    return next(name for name in data.CORPORA[builder.KIND] if name.lower() == builder.builder_config.name)
