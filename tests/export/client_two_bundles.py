"""Load an export, a copy of it, and another export in one process that never forgets `scripts`: FOLDER FOLDER."""

import shutil
import sys
from pathlib import Path

from monai.bundle import load

one, other = map(Path, sys.argv[1:])
copy = Path.cwd() / one.name
shutil.copytree(one, copy)


def loaded(folder):
    sys.path.insert(0, str(folder))
    return load(folder.name, bundle_dir=folder.parent, workflow_type="inference", device="cpu", source="github")


loaded(one)
loaded(copy)  # the same code under another path
try:
    loaded(other)
except RuntimeError as error:
    text = str(error.__cause__)
    assert str(one / "scripts") in text and str(other / "scripts") in text, text
else:
    sys.exit("the second bundle ran the code of the first")
