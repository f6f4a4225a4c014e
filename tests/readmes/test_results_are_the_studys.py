"""Tables of results in README files say what the committed studies measured: no number is left behind."""

import pytest
from script_main import script_main


def test_what_readme_files_quote_is_what_the_studies_measured(capsys):
    differ = script_main("fill_results")(["--check"])
    assert not differ, capsys.readouterr().out


@pytest.mark.parametrize(("page", "problem"), [("| a | 1 |\n", "no row .*'b'"), ("| b | 1 |\n| b | 2 |\n", "two rows")])
def test_a_row_that_cannot_be_found_is_an_error(page, problem):
    filled = script_main("fill_results").__globals__["filled"]
    with pytest.raises(ValueError, match=problem):
        filled(page, [("b", "3")])


def test_a_row_is_written_anew_and_nothing_else():
    filled = script_main("fill_results").__globals__["filled"]
    assert filled("# page\n| b | 1 |\n| c | 2 |\n", [("b", "3")]) == "# page\n| b | 3 |\n| c | 2 |\n"
