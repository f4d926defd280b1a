import time

from applications.core.timing import speed


class Slow:
    """Takes two milliseconds a text, and much longer for the first one."""

    def __init__(self):
        self.asked = 0

    def predict(self, texts):
        time.sleep(0.002 * len(texts) + (0.2 if not self.asked else 0))
        self.asked += len(texts)


def test_the_first_calls_do_not_count():
    found = speed(Slow(), ["a"] * 10, repeats=5, rounds=2)
    assert 2 <= found["latency_ms"] <= found["latency_ms_90"] < 100
    assert 50 < found["texts_per_second"] <= 500
