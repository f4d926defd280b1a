from applications.sentiment.reader import measure


def test_the_sample_is_read():
    found = measure("builtin", batch_size=8)
    assert found["source"] == "builtin"
    assert found["examples"] == 80
    assert found["batch_size"] == 8
    assert 0 < found["padding"] < found["padding_unsorted"]
    assert found["reader_batches_per_second"] > 0
