"""Every script says what it does and takes."""

import pytest
from script_main import SCRIPTS, script_main


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_a_script_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        script_main(name)(["--help"])
    said = capsys.readouterr().out
    first = (SCRIPTS / f"{name}.py").read_text().partition('"""')[2].split("\n")[0]
    assert ended.value.code == 0 and said.startswith("usage: ")
    assert first.split("`")[0].strip('".: ')[:60] in " ".join(said.split())
