"""What the model card of an encoder is called; the record of a run names it."""

from pathlib import Path

_ASSETS = Path(__file__).resolve().parents[1] / "assets"  # the bundled encoders
_CARD = "README.md"
_MOST_BYTES = 2**16  # the title is at the start


def model_card(folder: Path) -> str:
    """Return the title of the ``README.md`` in a folder; for a bundled encoder, the path of the file in this project.

    The string is empty if there is no such file, or no title in it. Nothing else depends on the card, so an
    unreadable one is no error.
    """
    path = folder / _CARD
    if path.is_relative_to(_ASSETS):
        return path.relative_to(_ASSETS.parents[1]).as_posix()
    try:
        if not path.is_file():  # a pipe would be waited for
            return ""
        with path.open("rb") as file:
            lines = file.read(_MOST_BYTES).decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    if lines and lines[0].strip() == "---" and "---" in lines[1:]:  # values for the hub; a comment is not the title
        lines = lines[lines.index("---", 1) :]
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), "")
