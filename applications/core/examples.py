"""Which examples a report shows."""

from collections.abc import Sequence

KINDS = ("good", "middling", "bad")


def graded(order: Sequence[int], each: int) -> list[tuple[str, int]]:
    """Return examples and of which of `KINDS` each is, none of them twice.

    Args:
        order: all that could be shown, the best first.
        each: how many of a kind at most; of few in all, as many as there are of each kind, but one at least.

    Returns:
        (kind, example), the best first.
    """
    each = max(1, min(each, len(order) // 3))
    middle = (len(order) - each) // 2
    parts = (order[:each], order[middle : middle + each], order[-each:])
    kinds = {one: kind for kind, part in reversed(list(zip(KINDS, parts, strict=True))) for one in part}
    return [(kinds[one], one) for one in order if one in kinds]
