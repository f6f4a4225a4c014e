"""Lets the ranks of one launch examine a store once: the first one does, the others take its word."""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path


def launch() -> tuple[str, int] | None:
    """Return a name of this launch on this machine, and the rank; None for a process that runs alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "RANK" not in os.environ:
        return None
    names = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")
    # Ranks have one parent; the parent of the next launch is another process.
    parts = [socket.gethostname(), str(os.getppid()), *(os.environ.get(name, "") for name in names)]
    return "/".join(parts), int(os.environ["RANK"])


def vouched_for(note: Path, identity: object) -> bool:
    """Whether another rank of this launch has examined this very store, and this rank has not made use of it yet.

    A rank that opens a store again examines it again: files may have changed since.

    Args:
        note: file that only the holder of the store's lock touches.
        identity: of the store, as JSON gives it back.
    """
    own = launch()
    if own is None:
        return False
    try:
        said = json.loads(note.read_text())
        if (said["launch"], said["store"]) != (own[0], identity) or own[1] in said["ranks"]:
            return False
        note.write_text(json.dumps(said | {"ranks": [*said["ranks"], own[1]]}))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def vouch(note: Path, identity: object) -> None:
    """Tell the other ranks of this launch that the store was examined; without the note they look for themselves."""
    own = launch()
    if own is None:
        return
    with suppress(OSError):
        note.write_text(json.dumps({"launch": own[0], "store": identity, "ranks": [own[1]]}))
