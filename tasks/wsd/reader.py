"""Read text whose words have senses: SemCor as JSON lines, and the XML files of the evaluation framework.

A token that consists of several words (``took_place``, or ``belong to`` in XML) is divided into them, because encoders
know words. The target of an example is its tagged tokens, each with the place of its words.
"""

import logging
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataFormatError
from harness.types import Example
from harness.utils.text_files import is_json
from tasks.common.table_files import json_objects
from tasks.wsd.framework_files import LAYOUT, GoldSenses, Token, keys_of, read_gold, xml_sentences
from tasks.wsd.senses import PARTS_OF_SPEECH, Lemma, SenseIndex, lemma_of

log = logging.getLogger(__name__)

_BETWEEN_WORDS = re.compile(r"[_\s]+")
_PLACE = re.compile(r"\((?:a|p|ip)\)(?=:)")  # of an adjective: before a noun, after a verb, after its noun
_TOKEN = 'give [word, lemma, tag] or [word, lemma, tag, ["lemma%1:00:00::"]] for each token'


class Instance(NamedTuple):
    """A tagged token of a sentence.

    Attributes:
        id: Its id, such as ``senseval2.d000.s000.t000``.
        lemma, pos: Its lemma, and ``NOUN``, ``VERB``, ``ADJ`` or ``ADV``.
        start, end: Its first word, and the one after its last.
        senses: Its senses, each of them right; empty if they are to be found.
    """

    id: str
    lemma: str
    pos: str
    start: int
    end: int
    senses: tuple[str, ...] = ()


class SentenceReader:
    """Takes the tokens of a sentence, and returns it as an example.

    Args:
        own_id: The id of the sentence.
    """

    def __init__(self, own_id: str) -> None:
        self.id, self._words = own_id, list[str]()
        self._instances: list[Instance] = []

    def add(self, text: str, lemma: Lemma | None = None, *, instance: str = "", senses: tuple[str, ...] = ()) -> None:
        """Add a token, which may consist of several words; it is tagged if it has a lemma.

        Args:
            text: The token.
            lemma: Its lemma and part of speech, if it is tagged.
            instance: Its id, if it is tagged.
            senses: Its senses.
        """
        start = len(self._words)
        self._words += [word for word in _BETWEEN_WORDS.split(text) if word] or [text]
        if lemma is not None:
            self._instances.append(Instance(instance, *lemma, start, len(self._words), senses))

    def example(self) -> Example:
        """Return the sentence as an example."""
        return Example(id=self.id, texts={"tokens": tuple(self._words)}, target=self._instances)


def read_senses(path: Path, index: SenseIndex | None, *, prefix: str) -> list[Example]:
    """Return the sentences of a file that have a tagged token.

    Args:
        path: JSON lines if its name says so (``.jsonl``), else XML, whose keys are in a file next to it.
        index: The senses that exist. None to read XML without its keys, for text whose senses are to be found.
        prefix: The start of the ids in JSON lines that name no document.

    Raises:
        DataFormatError: A file is missing or not in its format, an id is there twice, a lemma has no sense in the
            index, or a gold key is missing or unknown; the message names the line.
    """
    examples = _of_json_lines(path, index, prefix) if is_json(path) else _of_xml(path, index)
    tagged = [example for example in examples if example.target]
    if not tagged:
        raise DataFormatError(f"{path}: no word in it has a sense; give SemCor as JSON lines, or {LAYOUT[5:]}")
    words = sum(len(example.target) for example in tagged)
    sizes = [f"{number:,}" for number in (words, len(tagged), len(examples) - len(tagged))]
    log.info("%s: %s words with senses in %s sentences; left out %s sentences without any", path.name, *sizes)
    return tagged


def _of_json_lines(path: Path, index: SenseIndex | None, prefix: str) -> list[Example]:
    """Return all sentences of a file of JSON lines; senses that are not in the index are left out, and counted."""
    examples = []
    unknown: Counter[str] = Counter()
    first = ""
    seen: set[str] = set()
    for number, (where, values) in enumerate(json_objects(path), start=1):
        tokens = values.get("tokens")
        if not isinstance(tokens, list) or not tokens:
            raise DataFormatError(f"{where}: no list 'tokens'; {_TOKEN}")
        own_id = f"{values['doc']}.s{values.get('sent', number)}" if "doc" in values else f"{prefix}-{number}"
        if own_id in seen:
            raise DataFormatError(f"{where}: the sentence {own_id} is there twice; give each its own 'sent'")
        seen.add(own_id)
        sentence = SentenceReader(own_id)
        for position, token in enumerate(tokens):
            place = f"{where}: token {position + 1}"
            word, keys = _token(token, place)
            known = tuple(key for key in keys if index is None or key in index)
            if len(known) < len(keys):
                first = first or place
                unknown.update(set(keys).difference(known))
            lemma = lemma_of(known[0]) if known else None
            sentence.add(word, lemma, instance=f"{own_id}.t{position}", senses=known)
        examples.append(sentence.example())
    if unknown:
        log.warning(
            "%s: left out %s tags with %s senses that are not in task.sense_index, most often %s; the first is at %s",
            path.name,
            f"{unknown.total():,}",
            f"{len(unknown):,}",
            ", ".join(key for key, _ in unknown.most_common(3)),
            first,
        )
    return examples


def _token(token: Any, where: str) -> tuple[str, tuple[str, ...]]:
    """Return the text and the sense keys of a token of a JSON line."""
    if not (isinstance(token, list) and 3 <= len(token) <= 4 and isinstance(token[0], str) and token[0].strip()):
        raise DataFormatError(f"{where} is {str(token)[:80]}; {_TOKEN}")
    given = token[3] if len(token) == 4 else []
    keys = _divided(given) if isinstance(given, list) else []
    lemmas = {lemma_of(key) for key in keys}
    if not isinstance(given, list) or None in lemmas or len(lemmas) > 1:
        raise DataFormatError(f"{where}: {str(given)[:80]} is no list of sense keys of one lemma; {_TOKEN}")
    return token[0], tuple(keys)


def _divided(keys: list[Any]) -> list[str]:
    """Return the keys of a token as WordNet's index has them.

    SemCor writes several senses as one key, ``year%1:28:02::;1:28:01::``, and after the head word of some adjectives
    where they may stand, ``several%5:00:00:some(a):00``.
    """
    parts = ((lemma, senses) for lemma, _, senses in (str(key).partition("%") for key in keys))
    return [f"{lemma}%{_PLACE.sub('', sense)}" for lemma, senses in parts for sense in senses.split(";")]


def _of_xml(path: Path, index: SenseIndex | None) -> list[Example]:
    """Return all sentences of an XML file; without an index, the file of its keys is not needed."""
    sentences = list(xml_sentences(path))
    keys = keys_of(path) if index is not None else None
    gold = read_gold(keys, index) if keys is not None and index is not None else {}
    examples = []
    seen: set[str] = set()
    for own_id, tokens in sentences:
        sentence = SentenceReader(own_id)
        for token in tokens:
            if not token.attributes:
                sentence.add(token.text)
                continue
            instance = token.attributes["id"]
            if instance in seen:
                raise DataFormatError(f"{token.where}: the id {instance} is there twice; give each instance its own")
            seen.add(instance)
            lemma = _lemma_of(token)
            if index is not None:
                _check(token, lemma, gold, index, keys)
            senses = gold[instance].keys if index is not None else ()
            sentence.add(token.text, lemma, instance=instance, senses=senses)
        examples.append(sentence.example())
    for instance, senses_of in gold.items():
        if instance not in seen:
            raise DataFormatError(f"{senses_of.where}: no instance {instance} in {path}; give the keys of this text")
    return examples


def _lemma_of(token: Token) -> Lemma:
    """Return the lemma and the part of speech of an instance."""
    lemma, pos = token.attributes.get("lemma", ""), token.attributes.get("pos", "")
    if not lemma or pos not in PARTS_OF_SPEECH.values():
        raise DataFormatError(f"{token.where}: lemma='{lemma}' pos='{pos}'; give a lemma, and NOUN, VERB, ADJ or ADV")
    return lemma, pos


def _check(token: Token, lemma: Lemma, gold: dict[str, GoldSenses], index: SenseIndex, keys: Path | None) -> None:
    """Raise an error unless an instance has gold senses, and its lemma any sense."""
    instance = token.attributes["id"]
    if instance not in gold:
        raise DataFormatError(f"{token.where}: the instance {instance} has no line in {keys}; add its sense keys")
    if lemma not in index.senses:
        raise DataFormatError(
            f"{token.where}: no sense of '{lemma[0]}' as {lemma[1]} is in task.sense_index; correct lemma and pos"
        )
