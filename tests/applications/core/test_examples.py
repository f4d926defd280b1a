import pytest

from applications.core.examples import graded


@pytest.mark.parametrize(
    ("count", "each", "expected"),
    [
        (0, 2, ""),
        (1, 2, "0 good"),
        (2, 2, "0 good, 1 bad"),
        (3, 2, "0 good, 1 middling, 2 bad"),
        (6, 2, "0 good, 1 good, 2 middling, 3 middling, 4 bad, 5 bad"),
        (9, 1, "0 good, 4 middling, 8 bad"),
        (5, 9, "0 good, 2 middling, 4 bad"),
    ],
)
def test_examples_of_each_kind_none_twice(count, each, expected):
    assert ", ".join(f"{one} {kind}" for kind, one in graded(range(count), each)) == expected
