"""The escapes that the Penn Treebank and its descendants write for characters with a meaning of their own."""

_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}


def unescaped(word: str) -> str:
    r"""Return a word without the escapes of the Penn Treebank: ``-LRB-`` and the other brackets, ``\/`` and ``\*``.

    Quotation marks of two backticks or two apostrophes stay, because they are tokens and not escapes.
    """
    if word in _BRACKETS:
        return _BRACKETS[word]
    return word.replace("\\/", "/").replace("\\*", "*") if "\\" in word else word
