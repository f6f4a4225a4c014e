"""A corpus as a text file, so that a store opens without the reader that made its records."""

import json
from dataclasses import asdict
from pathlib import Path

from ..records import Box, Corpus, Record

CORPUS = "corpus.jsonl"


def save_corpus(corpus: Corpus, directory: Path) -> None:
    """Write one line about the corpus, then one per record."""
    head = {name: getattr(corpus, name) for name in ("name", "findings", "structures", "landmarks", "notices")}
    with (directory / CORPUS).open("w", encoding="utf-8") as file:
        file.write(json.dumps(head) + "\n")
        for record in corpus.records:
            facts = asdict(record)
            facts["masks"], facts["landmarks"] = dict(record.masks), dict(record.landmarks)
            file.write(json.dumps(facts) + "\n")


def load_corpus(directory: Path) -> Corpus:
    """Read what `save_corpus` wrote."""
    head, *lines = (directory / CORPUS).read_text(encoding="utf-8").splitlines()
    facts = json.loads(head)
    name = facts.pop("name")
    return Corpus(name, tuple(map(_record, lines)), **{key: tuple(value) for key, value in facts.items()})


def _record(line: str) -> Record:
    facts = json.loads(line)
    facts["labels"] = None if facts["labels"] is None else tuple(facts["labels"])
    facts["boxes"] = tuple(Box(**box) for box in facts["boxes"])
    facts["landmarks"] = {name: tuple(place) for name, place in facts["landmarks"].items()}
    return Record(**facts)
