"""Errors of tracking, with what to do about them."""

from ..command.credentials import without_credentials

REMEDIES = {
    "database is locked": "Another process holds it: wait, or give each of many runs a server (tracking#uri)",
    "disk is full": "Free space or choose another output_root; the same command then continues",
    "No space left": "Free space or choose another output_root; the same command then continues",
    "readonly database": "Make it writable or choose another output_root",
    "unable to open database file": "Choose an output_root where files can be made, or another tracking#uri",
    "malformed": "Its file is damaged: move it away, and a new one is made, or put back a copy",
    "not a database": "Its file is damaged: move it away, and a new one is made, or put back a copy",
    "no such table": "Its file is damaged: move it away, and a new one is made, or put back a copy",
}


class TrackingError(RuntimeError):
    """MLflow does not take or give what a run needs."""

    def __init__(self, uri: str, error: BaseException | str):
        text = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        remedy = next(
            (remedy for sign, remedy in REMEDIES.items() if sign in str(error)),
            "Start the server, or mend its address: MLFLOW_TRACKING_URI, or else tracking#uri; without either, a file "
            "in output_root takes its place",
        )
        super().__init__(without_credentials(f"MLflow at {uri} fails: {text}.\n{remedy}."))
