"""Every decision that code cites by its letter (A22, B7, 8.6) is explained in a README, table "Differences"."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parents[1] for path in (ROOT / "bundles").glob("*/docs/README.md"))
LETTER = re.compile(r"(?<![\w.#-])([A-EU])(\d{1,2})(?:-([A-EU])(\d{1,2}))?(?!\w|\.\d)|(?<![\w.-])(8\.6)(?!\w|\.\d)")


def letters(text: str) -> set[str]:
    """A3-A5 means A3, A4 and A5."""
    found = set()
    for first, low, last, high, shared in LETTER.findall(text):
        if shared:
            found.add(shared)
        elif last == first:
            found |= {f"{first}{number}" for number in range(int(low), int(high) + 1)}
        else:
            found |= {first + low} | ({last + high} if last else set())
    return found


def cited(folder: Path) -> dict[str, set[str]]:
    """File by file."""
    files = [path for kind in ("*.py", "*.yaml") for path in sorted(folder.rglob(kind))]
    return {str(path.relative_to(ROOT)): letters(path.read_text()) for path in files}


def rows(readme: str) -> list[list[str]]:
    """Cells of the table "Differences", of the rows that give what is done here."""
    section = readme.partition("\n## Differences")[2].partition("\n## ")[0]
    lines = [line.strip().strip("|") for line in section.splitlines() if "|" in line]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [row for row in cells[2:] if len(row) >= 3 and row[1]]  # after the header and its rule


def explained(bundle: Path) -> set[str]:
    table = rows((bundle / "docs/README.md").read_text())
    return {letter for row in table for letter in letters(" ".join(row[:3]))}


def missing(citations: dict[str, set[str]], known: set[str]) -> dict[str, list[str]]:
    return {path: sorted(found - known) for path, found in citations.items() if found - known}


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_what_a_bundle_cites_its_own_readme_explains(bundle):
    assert not missing(cited(bundle), explained(bundle))


def test_what_the_shared_code_cites_some_readme_explains():
    assert not missing(cited(ROOT / "common"), set().union(*map(explained, BUNDLES)))


def test_letters_are_found_where_they_are_cited_and_nowhere_else():
    assert letters("(methods A3-A5, A30) [E23] (8.6) C7.") == {"A3", "A4", "A5", "A30", "E23", "8.6", "C7"}
    assert not letters("box_B4 tokens_NBK (B, 4) #A1b2 0.8.6 version 8.6.1 R3D-18 E100.5")


def test_a_row_that_is_left_out_is_missed(tmp_path):
    """Of every bundle that cites: the check is not content with whatever a README says."""
    citing = [bundle for bundle in BUNDLES if any(cited(bundle).values())]
    assert {bundle.name for bundle in citing} >= {"cxr_ace", "cxr_adam", "cxr_leader", "cxr_srhrs"}
    for bundle in citing:
        text = (bundle / "docs/README.md").read_text()
        wanted = set().union(*cited(bundle).values())
        letter = min(wanted & explained(bundle))
        left = [line for line in text.splitlines() if not (line.startswith("|") and letter in letters(line))]
        (tmp_path / bundle.name / "docs").mkdir(parents=True)
        (tmp_path / bundle.name / "docs/README.md").write_text("\n".join(left))
        assert letter in set().union(*map(set, missing(cited(bundle), explained(tmp_path / bundle.name)).values()))


def test_every_letter_that_is_in_use_is_known_to_the_pattern():
    """A bundle that begins a new row of letters would otherwise cite them unseen."""
    texts = [path.read_text() for path in (ROOT / "common").rglob("*.py")]
    texts += [path.read_text() for kind in ("*.py", "*.yaml", "*.md") for path in (ROOT / "bundles").rglob(kind)]
    used = {name for text in texts for name in re.findall(r"(?:methods |[(\[])([A-Z]\d{1,2})(?=[,)\]])", text)}
    assert len(used) > 50
    assert {name for name in used if not letters(f"({name})")} == set()
