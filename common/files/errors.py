"""The ways in which data can be wrong: a file, the whole folder, or a few files of many; and what deserves a word."""

import os


class UnreadableImage(Exception):  # noqa: N818  (named for what it reports)
    """A file that does not give a sensible picture.

    The store puts such a file in quarantine by name; nothing ever replaces it by zeros.

    Args:
        path: the file.
        reason: what is wrong with it.
        remedy: what the user can do.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str, remedy: str):
        super().__init__(str(path), reason, remedy)
        self.path, self.reason, self.remedy = str(path), reason, remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}. {self.remedy}"


class OtherKind(UnreadableImage):
    """A sound file that is meant for something else, such as a volume's label map: nothing is missing without it."""


class LeftOut(Exception):  # noqa: N818  (named for what it reports)
    """Files that a finished command left out: what it wrote is whole and can be used, and is not of all files.

    It ends the command with a status that is not 0; its text is all that a person is shown.
    """


class DataNotice(UserWarning):
    """Something in a file leaves open how it is meant: it was read, and this says how, with the file's name."""


class DatasetError(ValueError):
    """A folder, table or option from which no corpus can be read.

    Args:
        where: file, folder or option.
        problem: what is wrong, with the offending value.
        remedy: what the user can do, naming the option where there is one.
    """

    def __init__(self, where: str | os.PathLike[str], problem: str, remedy: str):
        super().__init__(str(where), problem, remedy)
        self.where, self.problem, self.remedy = str(where), problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}. {self.remedy}"


class SharedPatients(DatasetError):  # noqa: N818  (named for what it reports)
    """Patients that occur in two splits."""


class Unusable(ValueError):  # noqa: N818  (turned into UnreadableImage)
    """Content that is understood and cannot be used; carries the remedy.

    Args:
        reason: what the content is.
        remedy: what the user can do.
    """

    def __init__(self, reason: str, remedy: str):
        super().__init__(reason)
        self.remedy = remedy


class Misplaced(Unusable):
    """Sound content that is meant for something else."""
