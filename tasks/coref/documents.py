"""Documents with coreference, in the columns of CoNLL-2012: files, folders of files, and archives of them."""

import logging
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError
from harness.types import Document, Example, Sentence, sentences_of
from harness.utils.text_files import lines_of, numbered_lines
from harness.utils.tokenized_text import TokenizedText

log = logging.getLogger(__name__)

TEXT = "document"
_BEGIN = re.compile(r"#begin document\s+\(?(.*?)\)?\s*;?\s*(?:part\s+(\d+))?\s*$")
_MARKS = re.compile(r"(?:\(\w+\)?|\w+\)|\|)+")
_MARK = re.compile(r"(\()?(\w+)(\))?")
_GENRE = re.compile(r"([a-z]{2})/")
_NONE = ("", "-", "_")  # of the last column, where no mention begins or ends
_WORD, _SPEAKER = 3, 9  # columns, counted from 0
_FEWEST, _WITH_SPEAKER = 5, 12  # columns of a line; of one that has the speaker
_ENDS, _CLOSING = (".", "!", "?"), ('"', "''", "'", "”", "’", ")", "]")  # of a sentence in raw text
_SUFFIXES = (".conll", "_conll")
_ARCHIVE = (".tar", ".tar.gz", ".tgz")


def coref_target(
    clusters: Sequence[Sequence[tuple[int, int]]] | None, *, speakers: Sequence[str] = (), genre: str = ""
) -> dict[str, Any]:
    """Return the target of a document, in the form that JSON can store.

    Args:
        clusters: The mentions of each entity: the first and the last token of each, counted over the document. None if
            they are not known.
        speakers: The speaker of each token; empty if there is only one.
        genre: The genre, two letters as in OntoNotes; empty if it is not known.
    """
    ordered = None if clusters is None else sorted(tuple(sorted(cluster)) for cluster in clusters)
    return {"clusters": ordered, "speakers": tuple(speakers) if len(set(speakers)) > 1 else (), "genre": genre}


def read_documents(path: Path, *, labelled: bool = True) -> list[Example]:
    """Return the documents of a file, or of all ``*.conll`` and ``*_conll`` files in a folder or an archive.

    The columns are those of CoNLL-2012: the word is the fourth, the speaker the tenth (if there are at least twelve),
    and the last one marks mentions: ``(3`` begins one of entity 3, ``3)`` ends it, ``(3)`` does both, and ``|``
    separates several marks. Each part of a document is an example. A document without words is left out. Entities that
    have a mention in common become one entity; CoNLL-2012 has such mentions.

    Args:
        path: A file, plain or ``.gz``; a folder of such files; or a ``.tar``, ``.tar.gz`` or ``.tgz`` archive.
        labelled: Whether to read the mentions.

    Raises:
        DataFormatError: The file is missing or not in this format, or a mention is never closed or never opened; the
            message names the file and the line.
    """
    examples: dict[str, Example] = {}
    empty, crossing, longer, joined = 0, 0, 0, 0
    for name, lines in _files(path):
        for part in _parts(name, lines, labelled=labelled):
            if not part.words:
                empty += 1
                continue
            example = part.example(labelled=labelled)
            if example.id in examples:
                raise DataFormatError(f"{part.where}: a second document '{example.id}'; give each its own id or part")
            examples[example.id] = example
            crossing += part.crossing
            longer += part.longer
            joined += len(part.joined)
    for count, what in (
        (empty, "documents without words are left out"),
        (crossing, "mentions cross another one; of two such mentions, a head finds at most one"),
        (longer, "mentions are in several sentences; no head finds them"),
        (joined, "entities have a mention of another one and are joined to it"),
    ):
        if count:
            log.warning("%s: %s %s", path.name, f"{count:,}", what)
    if not examples:
        raise DataFormatError(f"{path}: no document in it; each begins with a line '#begin document (ID); part 000'")
    return list(examples.values())


def is_documents(path: Path) -> bool:
    """Return whether ``read_documents`` reads a path: a folder, an archive, or a file that begins with a document."""
    if path.is_dir() or path.name.endswith(_ARCHIVE):
        return True
    first = next((line for _, line in numbered_lines(path) if line.strip()), "")
    return first.startswith("#begin document")


def _files(path: Path) -> Iterator[tuple[str, Iterable[tuple[int, str]]]]:
    """Yield the name and the numbered lines of each file, in the order of their names."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.name.removesuffix(".gz").endswith(_SUFFIXES))
        if not files:
            raise DataFormatError(f"{path}: no file in this folder ends in {' or '.join(_SUFFIXES)}, plain or .gz")
        for file in files:
            yield str(file), numbered_lines(file)
    elif path.name.endswith(_ARCHIVE) and path.is_file():
        try:
            with tarfile.open(path) as archive:
                members = [one for one in archive.getmembers() if one.isfile() and one.name.endswith(_SUFFIXES)]
                while archive.fileobj is not None and archive.fileobj.read(1 << 20):
                    pass  # gzip compares its checksum at the end, which tarfile does not read
                for member in sorted(members, key=lambda one: one.name):
                    content = archive.extractfile(member)
                    assert content is not None
                    name = f"{path}/{member.name}"
                    yield name, lines_of(content, name=name)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            reason, *_ = str(error).split(":\n")  # tarfile adds a line for each format that it has tried
            raise DataFormatError(f"{path}: cannot be unpacked ({reason}); download it again") from None
    else:
        yield str(path), numbered_lines(path)


@dataclass
class _Part:
    """One part of a document, while its lines are read.

    Attributes:
        name, part: The id of the document, and the number of the part; empty if there is none.
        file, line: Where it begins.
        sentences: The words of each sentence that is complete.
        words: All words, with those of the sentence that is being read.
        speakers: The speaker of each word.
        open: For each entity, the first token and the line of its mentions that are not closed yet.
        entity_of: The entity of each mention.
        joined: For each entity that has a mention of another one, the other one.
        ends: The token after the last one of each sentence.
    """

    name: str
    part: str
    file: str
    line: int
    sentences: list[tuple[str, ...]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)
    open: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    entity_of: dict[tuple[int, int], str] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The place of its first line."""
        return f"{self.file}:{self.line}"

    def add_word(self, columns: Sequence[str], *, labelled: bool, where: str) -> None:
        """Read the line of a word.

        Args:
            columns: The columns of the line.
            labelled: Whether to read the mentions.
            where: The place of the line.
        """
        if len(columns) < _FEWEST or not columns[_WORD].strip():
            raise DataFormatError(
                f"{where}: {len(columns)} column(s); give at least {_FEWEST}, the word in column {_WORD + 1} and the "
                "mentions in the last one"
            )
        if not columns[-1].strip() and _MARKS.fullmatch(columns[-2].strip()):
            raise DataFormatError(f"{where}: a tab after '{columns[-2].strip()}', the last column; remove the tab")
        word = columns[_WORD].strip()
        self.words.append(word[1:] if word in ("/.", "/?") else word)  # OntoNotes writes some marks so
        self.speakers.append(columns[_SPEAKER].strip() if len(columns) >= _WITH_SPEAKER else "")
        if labelled and columns[-1].strip() not in _NONE:
            marks = columns[-1].strip()
            if not _MARKS.fullmatch(marks):
                raise DataFormatError(
                    f"{where}: '{marks}' marks no mention; write (3, 3) or (3), with | between several"
                )
            for begins, entity, ends in _MARK.findall(marks):
                self._add_mark(entity, begins=bool(begins), ends=bool(ends), where=where)

    def _add_mark(self, entity: str, *, begins: bool, ends: bool, where: str) -> None:
        """Read the beginning or the end of a mention, or both."""
        last = len(self.words) - 1
        if begins:
            self.open.setdefault(entity, []).append((last, int(where.rpartition(":")[2])))
        if ends:
            if not self.open.get(entity):
                raise DataFormatError(f"{where}: '{entity})' ends a mention that never began; add ({entity} before it")
            mention = self.open[entity].pop()[0], last
            other, own = self._whole(self.entity_of.setdefault(mention, entity)), self._whole(entity)
            if other != own:
                self.joined[own] = other

    def _whole(self, entity: str) -> str:
        """Return the entity that an entity is a part of; the entity itself if it was not joined to another one."""
        while entity in self.joined:
            entity = self.joined[entity]
        return entity

    def end_sentence(self) -> None:
        """Complete the sentence, if it has words."""
        start = self.ends[-1] if self.ends else 0
        if len(self.words) > start:
            self.sentences.append(tuple(self.words[start:]))
            self.ends.append(len(self.words))

    def end(self, *, where: str) -> None:
        """Complete the part; every mention must be closed."""
        self.end_sentence()
        for entity, places in self.open.items():
            if places:
                raise DataFormatError(
                    f"{self.file}:{places[-1][1]}: a mention of entity {entity} begins here and never ends before "
                    f"{where}; add {entity})"
                )

    @property
    def crossing(self) -> int:
        """The number of mentions that begin in another one and end after it."""
        crossing = 0
        around: list[int] = []  # the last tokens of the mentions that the next one begins in
        for start, end in sorted(self.entity_of, key=lambda mention: (mention[0], -mention[1])):
            around = [last for last in around if last >= start]
            crossing += any(last < end for last in around)
            around.append(end)
        return crossing

    @property
    def longer(self) -> int:
        """The number of mentions that are in several sentences."""
        sentence_of = [i for i, sentence in enumerate(self.sentences) for _ in sentence]
        return sum(sentence_of[start] != sentence_of[end] for start, end in self.entity_of)

    def example(self, *, labelled: bool) -> Example:
        """Return the part as an example."""
        clusters: dict[str, list[tuple[int, int]]] = {}
        for mention, entity in self.entity_of.items():
            clusters.setdefault(self._whole(entity), []).append(mention)
        genre = _GENRE.match(self.name)
        target = coref_target(
            list(clusters.values()) if labelled else None,
            speakers=self.speakers,
            genre=genre[1] if genre else "",
        )
        own_id = f"{self.name}#{self.part}" if self.part else self.name
        return Example(id=own_id, texts={TEXT: Document(self.sentences)}, target=target)


def _parts(name: str, lines: Iterable[tuple[int, str]], *, labelled: bool) -> Iterator[_Part]:
    """Yield the parts of the documents in a file."""
    part: _Part | None = None
    for number, line in lines:
        where = f"{name}:{number}"
        begin = line.startswith("#begin document")
        if begin and part is None:
            part = _begun(line, name, number)
        elif begin or (part is None and line.strip() and not line.startswith("#")):
            what = "a document begins inside another one" if begin else "a word outside of a document"
            fix = "write '#begin document (ID)' before each document and '#end document' after it"
            raise DataFormatError(f"{where}: {what}; {fix}")
        elif part is not None and line.startswith("#end document"):
            part.end(where=where)
            yield part
            part = None
        elif part is not None and line.strip():
            part.add_word(line.split("\t") if "\t" in line else line.split(), labelled=labelled, where=where)
        elif part is not None:
            part.end_sentence()
    if part is not None:
        raise DataFormatError(f"{part.where}: this document has no '#end document'; the file is cut, or add the line")


def _begun(line: str, file: str, number: int) -> _Part:
    """Return the part that a line begins."""
    found = _BEGIN.match(line)
    if found is None or not found[1].strip():
        raise DataFormatError(f"{file}:{number}: this document has no id; write '#begin document (ID); part 000'")
    return _Part(found[1].strip(), found[2] or "", file, number)


def sentence_numbers(text: Sentence) -> list[int]:
    """Return the number of the sentence of each token, without counting sentences that have none."""
    sentences = filter(None, sentences_of(text))
    return [number for number, sentence in enumerate(sentences) for _ in sentence]


def sentences_in(text: TokenizedText) -> list[tuple[str, ...]]:
    """Split a text into sentences, after a mark that ends one and the quotes and brackets right after it."""
    sentences, start, ended = [], 0, False
    for place, token in enumerate(text.tokens):
        closing = token in _CLOSING and place > 0 and text.offsets[place, 0] == text.offsets[place - 1, 1]
        if ended and not (closing or token in _ENDS):
            sentences.append(text.tokens[start:place])
            start, ended = place, False
        ended = ended or token in _ENDS
    return [*sentences, text.tokens[start:]]
