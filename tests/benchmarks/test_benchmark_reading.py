"""What the reading benchmark measures is a whole data set."""


def test_every_image_is_read_with_its_labels_and_boxes(monkeypatch):
    from common.benchmarks import reading

    seen = []
    monkeypatch.setattr(reading, "read", lambda *words: seen.append(read(*words)) or seen[-1])
    from common.readers import read

    found = reading.measure_reading(400)
    (corpus,) = seen
    assert found["images"] == len(corpus) == 400 and found["read_s"] > 0
    assert len({record.patient_id for record in corpus.records}) == 100
    assert sum(len(record.boxes) for record in corpus.records) == sum(r.split == "test" for r in corpus.records) == 80
