import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, logging, sys
from pathlib import Path
from common.files import UnreadableImage
from common.images import image_size, read_image
logging.disable(logging.CRITICAL)
for path in sorted(p for p in Path(sys.argv[1]).rglob("*") if p.is_file()):
    try:
        picture = read_image(path)
        found = {"shape": picture.shape, "range": int(picture.max()) - int(picture.min()), "size": image_size(path)}
    except UnreadableImage as error:
        found = {"reason": error.reason, "remedy": error.remedy}
    print(json.dumps([path.name, found]), flush=True)
"""


@pytest.mark.real
def test_every_odd_file_is_a_picture_or_is_refused_with_reason_and_remedy(cxr_data):
    # In a process of its own with a limit: a decoder that crashes or hangs must fail this test and not end the suite.
    command = [sys.executable, "-c", PROGRAM, str(cxr_data / "odd_files")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    assert len(found) > 250
    for name, facts in found.items():
        if "shape" in facts:
            assert facts["range"] > 0 and facts["shape"][1:] == list(facts["size"]), name
        else:
            assert facts["reason"] and facts["remedy"], name
    damaged = (
        "truncated_image.png",
        "broken.png",
        "MR_truncated.dcm",
        "truncated_jpeg.jpg",
        "rtdose.dcm",
        "test1.json",
    )
    assert all("reason" in found[name] for name in damaged)
    unusual = ("JPGExtended.dcm", "CT_small.dcm", "SC_rgb_rle_16bit.dcm", "MR_small_bigendian.dcm", "16bit.cropped.tif")
    assert all("shape" in found[name] for name in unusual)
