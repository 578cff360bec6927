"""A small synthetic data set for parts of speech, in which the form of a word does not tell its tag.

The frames below generate it; no sentence is from a corpus. Twenty forms (level, sound, double) are nouns, verbs and
adjectives equally often, and function words (that, to, her, before, have, like) have two or three uses. Only the words
around them, sometimes several tokens away, tell the tag. Four forms occur only in dev and test.

A frame is plain text in which ``(a|b)`` is a choice, ``{N}`` (noun), ``{NS}`` (plural), ``{V}`` (infinitive), ``{VP}``
(present), ``{VZ}`` (third person) and ``{A}`` (adjective) stand for one of those forms, and ``word=USE`` is a word in
one of its uses. All other words have one tag, in ``WORDS``.
"""

import random
import re
from collections.abc import Iterator
from typing import Literal

from harness.types import Sentence
from tasks.common.sample_data import check_split, choose, deck

SIZES = {"train": 1500, "dev": 300, "test": 300}
SEEDS = {"train": 11, "dev": 12, "test": 13}

FORMS = (
    "abstract", "blind", "calm", "double", "duplicate", "fine", "hollow", "key", "level", "light", "moderate",
    "present", "quiet", "sound", "square", "subject",
)  # fmt: skip
UNSEEN_FORMS = ("blank", "net", "round", "spare")

# Universal tag and English (Penn) tag -> the words that always have these tags.
WORDS = {
    "DET DT": "the a every some",
    "PRON PRP": "they we you it",
    "AUX MD": "will can",
    "AUX VBD": "was",
    "AUX VBZ": "is",
    "AUX VBP": "are",
    "ADJ JJ": "old strange cheap rare many heavy",
    "NUM CD": "three ten",
    "NOUN NN": "house lake church road stone farmer soldier king queen coat hat horse village valley money time "
    "morning evening",
    "NOUN NNS": "stones boxes coins lamps girls farmers soldiers miles",
    "ADP IN": "near behind of in",
    "ADV RB": "again there twice",
    "NOUN NN ": "today yesterday",  # nouns, as in Universal Dependencies
    "CCONJ CC": "and but or",
    "VERB VBD": "saw looked seemed said wanted forgot fell broke",
    "VERB VBN": "forgotten seen",
    "VERB VBZ": "takes costs",
    "INTJ UH": "please",
    "PUNCT .": ". ?",
    "PUNCT ,": ",",
}
# The tags of each use of the words with several uses, and of the forms in each slot.
USES = {
    "that=conjunction": "SCONJ IN",
    "that=article": "DET DT",
    "that=pronoun": "PRON DT",
    "that=relative": "PRON WDT",
    "to=particle": "PART TO",
    "to=preposition": "ADP IN",
    "her=object": "PRON PRP",
    "her=possessive": "PRON PRP$",
    "before=preposition": "ADP IN",
    "before=conjunction": "SCONJ IN",
    "like=verb": "VERB VBP",
    "like=preposition": "ADP IN",
    "have=auxiliary": "AUX VBP",
    "have=verb": "VERB VBP",
}
SLOTS = {
    "N": ("", "NOUN NN"),
    "NS": ("s", "NOUN NNS"),
    "V": ("", "VERB VB"),
    "VP": ("", "VERB VBP"),
    "VZ": ("s", "VERB VBZ"),
    "A": ("", "ADJ JJ"),
}

FRAMES = (
    # A verb, a noun or an adjective after the same words; the words after it tell which.
    "(we|they) saw her=object {V} the (stones|boxes|coins) (again|yesterday) .",
    "(we|they) saw her=object {V} (every|some) {A} (stone|coat|lake) .",
    "(we|they) saw her=possessive {N} (again|yesterday|twice) .",
    "(we|they) saw her=possessive {N} (near|behind) the {A} (lake|church|road) .",
    "(we|they) saw her=possessive {A} (hat|horse|coat) (again|yesterday|twice) .",
    "the {N} (near|behind) the {A} (lake|church|road) (looked|seemed) (old|strange) .",
    "the {N} (looked|seemed) {A} (there|again|today) .",
    "the {A} (house|stone|road) (near|behind) the {N} (looked|seemed) (old|strange) .",
    "the {A} {N} (fell|broke) (again|today|there) .",
    "the {A} {NS} (fell|broke) (again|today|there) .",
    "the {N} {VZ} the {A} (stones|boxes|coins) (again|today) .",
    "the (girls|farmers|soldiers) {VP} the {NS} every (morning|evening) .",
    "the (farmer|soldier|queen) {VZ} the (boxes|coins) , and the (king|queen) {VZ} the {NS} .",
    "the {NS} of the (king|church|village) (fell|broke) (again|today) .",
    "(some|many) {NS} near the (lake|road) {VP} the (stones|boxes) .",
    "the (king|queen) of the {A} (valley|village) {VZ} {NS} .",
    # The use of one word tells the use of another.
    "to=particle {V} the (boxes|coins|lamps) (takes|costs) (time|money) .",
    "to=particle {V} it (takes|costs) the (king|queen) {NS} .",
    "to=preposition the {N} near the (lake|church) it is (three|ten) miles .",
    "to=preposition the {A} (house|church|valley) it is (three|ten) miles .",
    "to=preposition {NS} (we|they) {VP} the (coins|boxes) (there|twice) .",
    "it was the {N} that=relative (we|they) (wanted|forgot) (yesterday|again) .",
    "(we|they) said that=conjunction the {N} (looked|seemed) {A} .",
    "(we|they) said that=conjunction {NS} are (cheap|rare|heavy) .",
    "(we|they) wanted that=article {N} (again|today|yesterday) .",
    "(we|they) wanted that=article {A} (hat|coat|horse) (again|today|yesterday) .",
    "that=pronoun was the {N} of the (farmer|king|queen) .",
    "that=pronoun was (strange|heavy) and {A} .",
    "that=article {A} (hat|horse|stone) was (old|strange) .",
    "before=conjunction the {N} (fell|broke) , (we|they) {VP} the (boxes|lamps) .",
    "before=preposition the {N} , (we|they) {VP} the {A} (boxes|lamps) .",
    "before=preposition the {A} (morning|evening) , (we|they) {VP} the {NS} .",
    "(we|they) like=verb the {NS} of the (king|farmer|village) .",
    "(we|they) like=verb {A} (stones|boxes|lamps) .",
    "{NS} like=preposition that=pronoun are (rare|cheap|old) .",
    "(we|they) have=auxiliary (forgotten|seen) the {N} (again|today) .",
    "(we|they) have=verb a {N} in the (house|church|village) .",
    "(we|they) have=verb a {A} (coat|hat|horse) in the (house|village) .",
    "it is {A} and (old|cheap|strange) there .",
    "it is (old|cheap|strange) and {A} again .",
    "please {V} the (lamps|boxes|stones) and {V} the {N} .",
    "you will {V} the {A} (lamps|stones) , and the {N} is (old|rare) .",
    "(will|can) you {V} the (lamps|stones) , or is the {N} (old|rare) ?",
    "(will|can) you {V} her=possessive {A} (hat|coat) (today|again) ?",
)

CLAUSES = (1, 2, 2)  # number of frames in a sentence
JOINT = " (and|but) "

_CHOICE = re.compile(r"\(([^()]+)\)")
_LEXICON = {word: tags.strip() for tags, words in WORDS.items() for word in words.split()}


def tagged(split: str, tagset: Literal["upos", "xpos"] = "upos") -> list[tuple[Sentence, tuple[str, ...]]]:
    """Return a split with one kind of tags.

    Args:
        split: ``train``, ``dev`` or ``test``.
        tagset: ``upos`` for universal tags, ``xpos`` for English tags.

    Returns:
        The words and the tags of each sentence.

    Raises:
        ConfigError: There is no such split.
    """
    column = {"upos": 0, "xpos": 1}[tagset]
    return [
        (tuple(word for word, _ in sentence), tuple(tags.split()[column] for _, tags in sentence))
        for sentence in sentences(split)
    ]


def sentences(split: str) -> list[list[tuple[str, str]]]:
    """Return a split of the synthetic data, the same in every call and on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Returns:
        The words of each sentence, each with its universal and its English tag, separated by a space.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    forms = FORMS if split == "train" else FORMS + UNSEEN_FORMS
    decks = {slot: deck(forms, rng) for slot in SLOTS}
    frames, clauses = deck(FRAMES, rng), deck(CLAUSES, rng)
    return [_fill(JOINT.join(next(frames) for _ in range(next(clauses))), decks, rng) for _ in range(SIZES[split])]


def _fill(frame: str, decks: dict[str, Iterator[str]], rng: random.Random) -> list[tuple[str, str]]:
    """Return the words and tags of a sentence that consists of one or two frames."""
    words = []
    for word in _CHOICE.sub(lambda match: choose(match[1].split("|"), rng), re.sub(r" [.?](?= )", " ,", frame)).split():
        if word.startswith("{"):
            ending, tags = SLOTS[word[1:-1]]
            words.append((next(decks[word[1:-1]]) + ending, tags))
        elif word in USES:
            words.append((word.partition("=")[0], USES[word]))
        else:
            words.append((word, _LEXICON[word]))
    first, tags = words[0]
    return [(first[0].upper() + first[1:], tags), *words[1:]]


def conllu(split: str) -> str:
    """Return a split as the content of a CoNLL-U file, without lemmas, features and relations."""
    blocks = []
    for i, sentence in enumerate(sentences(split)):
        lines = [f"# sent_id = {split}-{i}", f"# text = {' '.join(word for word, _ in sentence)}"]
        for number, (word, tags) in enumerate(sentence, start=1):
            lines.append("\t".join([str(number), word, "_", *tags.split(), *"_____"]))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)
