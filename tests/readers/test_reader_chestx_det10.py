import json

import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.cxr import chestx_det, chestx_det10


def write(root, finding="Nodule"):
    for split, numbers in (("train", range(36200, 36210)), ("test", (38000, 38001))):
        entries = []
        for number in numbers:
            save_grey(root / f"{split}_data" / f"{number}.png", number)
            known = number % 2
            entries.append(
                {"file_name": f"{number}.png", "syms": [finding] * known, "boxes": [[256, 512, 512, 640]] * known}
            )
        (root / f"{split}.json").write_text(json.dumps(entries))
    return root


def test_boxes_labels_and_splits(tmp_path):
    corpus = read("chestx_det10", write(tmp_path))
    records = by_name(corpus)
    assert corpus.findings == chestx_det10.FINDINGS and len(corpus.findings) == 10 and corpus.structures == ()
    assert [name for name in chestx_det.FINDINGS if name not in corpus.findings] == [
        *("Cardiomegaly", "Diffuse Nodule", "Pleural Thickening")
    ]
    (box,) = records["36201.png"].boxes
    assert (box.finding, box.top, box.left, box.bottom, box.right) == ("Nodule", 0.5, 0.25, 0.625, 0.5)
    assert records["36201.png"].labels[corpus.findings.index("Nodule")] == 1 and sum(records["36200.png"].labels) == 0
    splits = [record.split for record in corpus.records]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (9, 1, 2)


def test_a_finding_of_the_larger_set_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="unknown finding 'Cardiomegaly'"):
        read("chestx_det10", write(tmp_path, "Cardiomegaly"))
