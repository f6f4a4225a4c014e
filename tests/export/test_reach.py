"""What an export carries of `common`: everything that is reached, and nothing else."""

import textwrap

import pytest

from common.export.asked import data_sets, of_config, of_source
from common.export.imports import Target
from common.export.reach import Reach
from common.export.rewrite import ExportError
from common.inert import inert

LIBRARY = {
    "__init__.py": """
        from importlib import import_module
        LADDER = ("plain", "late", "deep", "unused")
        def __getattr__(name):
            if name in LADDER:
                return import_module(f"{__name__}.{name}")
    """,
    "plain/__init__.py": """
        from .one import First, first as renamed
        from .two import second
        __all__ = ["First", "renamed", "second"]
    """,
    "plain/one.py": "from ..deep.inner.core import core\nclass First: pass\ndef first(): pass\n",
    "plain/two.py": "def second():\n    from ..late import Slow\n    return Slow\n",
    "late/__init__.py": """
        from importlib import import_module
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from .slow import Slow
            from .slower import Slower
        LATE = {"Slow": "slow", "Slower": "slower", "slow": "slow"}
        __all__ = ["Slow", "Slower", "slow"]
        def __getattr__(name):
            return getattr(import_module(f".{LATE[name]}", __name__), name)
    """,
    "late/slow.py": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from ..unused import x
        Slow = slow = 1
    """,
    "late/slower.py": "Slower = 2\n",
    "deep/__init__.py": """
        from . import shim
        from .used import help
        from .idle import idle
        def work():
            return help()
    """,
    "deep/shim.py": "",
    "deep/used.py": "def help(): pass\n",
    "deep/idle.py": "def idle(): pass\n",
    "deep/inner/__init__.py": '"""Nothing."""\n',
    "deep/inner/core.py": "core = 1\n",
    "beside/__init__.py": "from . import effect\nfrom .thing import Thing\n",
    "beside/effect.py": "SEEN = True\n",
    "beside/thing.py": "from . import effect\nclass Thing: pass\n",
    "unused/__init__.py": "x = 1\n",
    "effects.py": """
        # For what early gives.
        import json
        import re
        from .deep import work
        from .plain import First
        from .late import Slow
        __all__ = ["early", "late"]

        # What early knows.
        KNOWN = re.compile("x")
        \"\"\"A pattern.\"\"\"

        DONE = work()
        NUMBER = 3

        @property
        def early(): return First, KNOWN, json

        # Says when.
        def late():
            \"\"\"A docstring.\"\"\"
            return Slow, NUMBER

        if NUMBER > 2:
            also = re.sub
    """,
    "computed.py": "import importlib\ndef get(name):\n    return importlib.import_module('.' + name, __package__)\n",
}
INNER = {"deep/__init__.py", "deep/inner/__init__.py", "deep/inner/core.py"}
CASES = {
    "plain.First": {"plain/__init__.py", "plain/one.py", *INNER},
    "plain.renamed.attribute": {"plain/__init__.py", "plain/one.py", *INNER},
    "plain.second": {"plain/__init__.py", "plain/two.py", "late/__init__.py", "late/slow.py"},
    "plain.two": {"plain/__init__.py", "plain/two.py", "late/__init__.py", "late/slow.py"},
    "late.Slower": {"late/__init__.py", "late/slower.py"},
    "late.slow": {"late/__init__.py", "late/slow.py"},  # a name like its module's
    "late": {"late/__init__.py", "late/slow.py", "late/slower.py"},
    "beside.Thing": {"beside/__init__.py", "beside/thing.py", "beside/effect.py"},  # a module, not a name of one
    "deep.work": {"deep/__init__.py", "deep/used.py"},
    "deep.idle": {"deep/__init__.py", "deep/idle.py"},  # without what `work` needs
    "deep.shim": {"deep/__init__.py", "deep/shim.py"},
    "effects.late": {"effects.py", "late/__init__.py", "late/slow.py", "deep/__init__.py", "deep/used.py"},
}


@pytest.fixture
def library(tmp_path):
    for name, text in LIBRARY.items():
        path = tmp_path / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "library"


def reached(library, *names):
    reach = Reach(library)
    for name in names:
        reach.ask_dotted(name, "train.yaml")
    return {path.as_posix(): text for path, text in reach.files().items()}


@pytest.mark.parametrize("name", CASES)
def test_a_name_reaches_the_modules_behind_it_and_no_others(name, library):
    assert reached(library, name).keys() == {"__init__.py", *CASES[name]}


def test_of_a_module_stays_what_is_needed_and_what_runs(library):
    text = reached(library, "effects.late")["effects.py"]
    expected = """
        import re
        from .deep import work
        from .late import Slow
        __all__ = ['late']

        DONE = work()
        NUMBER = 3

        # Says when.
        def late():
            \"\"\"A docstring.\"\"\"
            return Slow, NUMBER

        if NUMBER > 2:
            also = re.sub
    """
    assert text == textwrap.dedent(expected)
    assert reached(library, "effects")["effects.py"] == textwrap.dedent(LIBRARY["effects.py"])


def test_packages_offer_what_was_asked_and_no_more(library):
    files = reached(library, "plain.First", "late.Slower")
    assert "second" not in files["plain/__init__.py"] and "renamed" not in files["plain/__init__.py"]
    names = {}
    exec(files["late/__init__.py"].replace("__name__", "'x'"), names)
    assert names["LATE"] == {"Slower": "slower"} and names["__all__"] == ["Slower"]
    exec(files["__init__.py"], names)
    assert names["LADDER"] == ("plain", "late", "deep")
    assert (
        "from .slow import" not in files["late/__init__.py"]
        and "from .slower import Slower" in files["late/__init__.py"]
    )


def test_what_is_asked_twice_is_written_alike(library):
    reach = Reach(library)
    reach.ask_dotted("late.Slow", "x")
    assert reach.files() == reach.files()


@pytest.mark.parametrize("name", ["plain.Third", "rooms.x"])
def test_what_is_not_there_is_named_with_who_asks(name, library):
    with pytest.raises(ExportError, match=rf"train\.yaml asks for common\.{name.split('.x')[0]}.*not there"):
        reached(library, name)


def test_a_computed_import_is_refused_with_its_line(library):
    with pytest.raises(ExportError, match=r"computed\.py:3 imports a module by a computed name"):
        reached(library, "computed")


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (
            {"_target_": "common.losses.LabelLoss", "x": [{"_target_": "common.views.TwoCrops"}]},
            ["losses.LabelLoss", "views.TwoCrops"],
        ),
        ("$common.images.open_store(common.readers.read(@dataset), @common.x)", ["images.open_store", "readers.read"]),
        ("$import common.readers as r", ["readers"]),
        ("$from common.views import TwoCrops as crops", ["views.TwoCrops"]),
        ("$import common", []),
        ("common.losses in a text", []),
        ("$uncommon.losses.x + a.common.y", []),
        (inert("$common.losses.x", ""), []),
        ({"_target_": "commonplace.x"}, []),
    ],
)
def test_what_a_config_asks_for(config, names):
    assert list(of_config({"key": config})) == names


def test_what_a_bundles_code_asks_for():
    source = "from common.losses import A, B\nimport common.views.boxes as boxes\nfrom .heads import x\nimport torch\n"
    assert list(of_source(source, "m.py")) == [
        Target(("losses",), "A"),
        Target(("losses",), "B"),
        Target(("views", "boxes"), None),
    ]
    with pytest.raises(ExportError, match=r"m\.py imports common whole"):
        list(of_source("import common as c\n", "m.py"))


def test_data_sets_are_those_that_the_bundle_speaks_of(tmp_path):
    known = {"folder", "one", "two", "three", "four", "five"}
    for name, text in {
        "configs/data/one.yaml": "dataset: one\n",  # an overlay, which an export does not hold
        "scripts/sources.py": 'SOURCE = "three"  # five\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    train = {"dataset": "four", "probe": "$common.readers.read('two', @dataset_dir)", "about": "folder or so"}
    assert data_sets(tmp_path, {"train": train}, known) == {"two", "three", "four"}
