"""The files of the evaluation framework: text as XML, and the gold senses of its instances as lines of keys.

Source: Raganato et al. 2017 (EACL E17-1010); the layout is that of SemEval-2015 task 13.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from harness.errors import DataFormatError
from harness.utils.text_files import exists, numbered_lines
from tasks.wsd.senses import SenseIndex

LAYOUT = "give a file of the framework: <corpus> of <text> of <sentence> of <wf> and <instance>"


class Token(NamedTuple):
    """A token of an XML file: its place, its attributes, which include the id of an instance, and its text."""

    where: str
    attributes: Mapping[str, str]
    text: str


class GoldSenses(NamedTuple):
    """The gold senses of an instance, and the place of their line."""

    where: str
    keys: tuple[str, ...]


def keys_of(path: Path) -> Path:
    """Return the path of the gold keys of an XML file: ``X.gold.key.txt`` for ``X.data.xml`` or ``X.data.xml.gz``.

    Raises:
        DataFormatError: There is no such file next to it.
    """
    start = path.name.removesuffix(".gz").removesuffix(".xml").removesuffix(".data")
    plain = path.with_name(f"{start}.gold.key.txt")
    for candidate in (plain, plain.with_name(f"{plain.name}.gz")):
        if exists(candidate):
            return candidate
    raise DataFormatError(f"{plain}: no such file; put the gold keys of {path.name} next to it, under this name")


def read_gold(path: Path, index: SenseIndex) -> dict[str, GoldSenses]:
    """Return the gold senses of each instance in a file of keys: on each line an id and one or more sense keys.

    Args:
        path: The file, plain or ``.gz``.
        index: The senses that exist.

    Raises:
        DataFormatError: The file is missing, or a line is not in this format or has an unknown key.
    """
    found: dict[str, GoldSenses] = {}
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        own_id, *keys = line.split() or [""]
        if not own_id:
            continue
        if not keys:
            raise DataFormatError(f"{where}: {own_id} has no sense key; give one or more after the id")
        for key in keys:
            if key not in index:
                raise DataFormatError(f"{where}: the sense key '{key:.80}' is not in task.sense_index; correct it")
        if own_id in found:
            raise DataFormatError(f"{where}: {own_id} is there twice; put all its senses on one line")
        found[own_id] = GoldSenses(where, tuple(keys))
    return found


def xml_sentences(path: Path) -> Iterator[tuple[str, list[Token]]]:
    """Yield the id and the tokens of each sentence of an XML file, plain or ``.gz``.

    Raises:
        DataFormatError: The file is missing, not XML, or not in this layout; the message names the line.
    """
    handlers = _Handlers(path)
    parser = handlers.parser
    try:
        for _, line in numbered_lines(path):
            parser.Parse(f"{line}\n")
            yield from handlers.taken()
        parser.Parse("", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise DataFormatError(f"{path}:{error.lineno}: not XML ({reason}); {LAYOUT}") from None


class _Handlers:
    """What is called for each part of an XML file; collects its sentences."""

    def __init__(self, path: Path) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler, self.parser.EndElementHandler = self.start, self.end
        self.parser.CharacterDataHandler, self.parser.EntityDeclHandler = self.text, self.entity
        self._path, self._number = path, 0
        self._done: list[tuple[str, list[Token]]] = []
        self._sentence: tuple[str, list[Token]] | None = None
        self._token: Token | None = None

    def taken(self) -> list[tuple[str, list[Token]]]:
        """Return the sentences that have ended since the last call."""
        done, self._done = self._done, []
        return done

    def _error(self, problem: str) -> DataFormatError:
        return DataFormatError(f"{self._path}:{self.parser.CurrentLineNumber}: {problem}")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a sentence or a token."""
        if name == "sentence" and self._sentence is None:
            self._number += 1
            self._sentence = attributes.get("id", f"sentence-{self._number}"), []
        elif name in ("wf", "instance") and self._sentence is not None and self._token is None:
            if name == "instance" and not attributes.get("id"):
                raise self._error("an instance without an id; give it one")
            where = f"{self._path}:{self.parser.CurrentLineNumber}"
            self._token = Token(where, attributes if name == "instance" else {}, "")
        elif name not in ("corpus", "text") or self._sentence is not None:
            raise self._error(f"<{name:.40}> cannot be here; {LAYOUT}")

    def end(self, name: str) -> None:
        """End a sentence or a token."""
        if name == "sentence" and self._sentence is not None:
            self._done.append(self._sentence)
            self._sentence = None
        elif self._token is not None and self._sentence is not None:
            if not self._token.text.strip():
                raise self._error(f"<{name}> has no text; put the word between its tags")
            self._sentence[1].append(self._token)
            self._token = None

    def text(self, data: str) -> None:
        """Add text to the token."""
        if self._token is not None:
            self._token = self._token._replace(text=self._token.text + data)
        elif data.strip():
            raise self._error(f"the text '{data.strip():.40}' is in no <wf> or <instance>; {LAYOUT}")

    def entity(self, *_: object) -> None:
        """Refuse a definition: its expansion can fill the memory."""
        raise self._error("defines an entity; write the characters themselves")
