"""TensorFlow Datasets by name, with a quick and clear answer where there is no network."""

import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

from applications.core.files import SourceError, missing_column
from zoo.errors import unknown

NETWORK_SECONDS = 5.0
"""How long a server may take to answer before the network counts as absent."""


def read_tfds(
    name: str,
    split: str | None,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    data_dir: str | None = None,
) -> Iterator[dict[str, str]]:
    """Yield `{column: value}` for every example of a TFDS name; class numbers become their names.

    What was not prepared on this machine before is downloaded, if its server answers within
    `NETWORK_SECONDS`.

    Args:
        name: `NAME` or `NAME/CONFIG`.
        split: as TFDS writes it, such as `"train"` or `"train[:10%]"`.
        columns: names of the features to read: text, numbers or classes. A class number below 0 (no label) is
            "".
        optional: names of features to read if they are there.
        data_dir: where TFDS keeps its data; by default where it always does.

    Raises:
        SourceError: TFDS is not installed, an unknown name, split or feature, no network, a failed download.
    """
    builder = _tfds_builder(name, data_dir)
    import tensorflow_datasets as tfds  # late: takes a second, and TensorFlow when it reads

    _check_tfds_split(name, split, builder)
    features = builder.info.features
    for column in columns:
        if column not in features:
            raise missing_column(f"tfds:{name}", column, features)
    wanted = [*columns, *(column for column in optional if column in features)]
    for column in wanted:
        if not isinstance(
            features[column], tfds.features.Text | tfds.features.Scalar | tfds.features.ClassLabel
        ):
            raise SourceError(f"tfds:{name}: {column}: is no text, class or number; name another feature")
    try:
        # The order is that of the files: shuffling is for whoever fits.
        for example in tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)):
            yield {column: _tfds_text(features[column], example[column]) for column in wanted}
    except (ValueError, OSError) as fault:
        raise SourceError(f"tfds:{name}: the split {split!r} cannot be read: {_first_line(fault)}") from None


def tfds_splits(name: str, data_dir: str | None = None) -> list[str]:
    """Return the names of the splits of a TFDS name; downloads and fails as `read_tfds` does."""
    return sorted(_tfds_builder(name, data_dir).info.splits)


def tfds_languages(name: str, data_dir: str | None = None) -> list[str]:
    """Return the languages of a TFDS name whose examples are translations, none of any other.

    The one with which its configuration's name begins comes first: "pt" of `ted_hrlr_translate/pt_to_en`.
    Downloads and fails as `read_tfds` does.
    """
    builder = _tfds_builder(name, data_dir)
    import tensorflow_datasets as tfds

    features = builder.info.features
    if not isinstance(features, tfds.features.Translation):
        return []
    config = getattr(builder.builder_config, "name", "").replace("_", "")  # "aztr_to_en" is of az_tr
    return sorted(features, key=lambda language: (not config.startswith(language.replace("_", "")), language))


def _tfds_text(feature: Any, value: Any) -> str:
    if hasattr(feature, "int2str"):
        return feature.int2str(int(value)) if value >= 0 else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _tfds_builder(name: str, data_dir: str | None) -> Any:
    """Return a builder whose data lie on this machine."""
    os.environ.setdefault("TFDS_DISABLE_GCS", "1")  # else an absent network costs minutes
    try:
        import tensorflow_datasets as tfds
    except ImportError as fault:
        raise SourceError(f"tfds:{name}: {fault}; install it: pip install tensorflow-datasets") from None
    base, _, config = name.partition("/")
    try:
        configs = [config.name for config in tfds.builder_cls(base).BUILDER_CONFIGS]
    except tfds.core.registered.DatasetNotFoundError:
        names = set(tfds.list_builders(with_community_datasets=False))
        raise SourceError(str(unknown("TFDS name", base, names, "All: tensorflow.org/datasets"))) from None
    if config and config not in configs:
        raise SourceError(f"tfds:{base}: {unknown('CONFIG', config, configs)}")
    builder = tfds.builder(name, data_dir=data_dir)
    if builder.info.splits:
        return builder
    for url in list(builder.url_infos or ())[:1]:
        if reason := _unreachable(url):
            host = url.split("/")[2]
            raise SourceError(
                f"tfds:{name}: not prepared on this machine, and {host} cannot be reached ({reason}): "
                "connect to the network, or name a file, a folder or builtin"
            )
    try:
        builder.download_and_prepare()
    except Exception as fault:  # whatever the network, the disk or the builder's own code may do
        raise SourceError(
            f"tfds:{name}: cannot be prepared: {type(fault).__name__}: {_first_line(fault)}"
        ) from None
    return builder


def _check_tfds_split(name: str, split: str | None, builder: Any) -> None:
    splits = sorted(builder.info.splits)
    if split is None:
        raise SourceError(f"tfds:{name}: has the splits {', '.join(splits)}; name one of them")
    if re.fullmatch(r"\w+", split) and split not in splits:
        raise SourceError(f"tfds:{name}: {unknown('split', split, splits)}")


def _first_line(fault: Exception) -> str:
    return (str(fault).strip() or type(fault).__name__).splitlines()[0][:300]


def _unreachable(url: str) -> str:
    """Return why a server does not answer, or "" when it does; proxies of the environment are used."""
    answer = [f"no answer in {NETWORK_SECONDS:g} s"]

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "lstm-zoo"})
            urllib.request.urlopen(request, timeout=NETWORK_SECONDS).close()
            answer[0] = ""
        except urllib.error.HTTPError:
            answer[0] = ""  # it answered: what it thinks of HEAD is no matter
        except (OSError, ValueError) as fault:
            answer[0] = _first_line(getattr(fault, "reason", None) or fault)

    # Looking up a name obeys no time limit: hence a thread, which is left behind.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(NETWORK_SECONDS)
    return answer[0]
