"""Character ids, checked against the table of the official code: raw ids plus one."""

import pytest
import torch
from torch.nn import functional as F

from harness.encoders.char_ids import char_ids, without_padding

BEGIN, END, PAD = 259, 260, 261  # of a word; raw ids 258, 259, 260


def ids(word: str, max_chars: int = 50) -> list[int]:
    """Return the ids of one word."""
    (row,) = char_ids([word], max_chars=max_chars).tolist()
    return row


def expected(content: list[int], max_chars: int = 50) -> list[int]:
    """Lay out raw ids as a word: begin, content, end, padding."""
    return [BEGIN, *(raw + 1 for raw in content), END] + [PAD] * (max_chars - 2 - len(content))


def test_a_plain_word_is_its_bytes_between_marks() -> None:
    assert ids("Cat") == [259, 68, 98, 117, 260] + [261] * 45


def test_nothing_is_lower_cased_and_digits_stay() -> None:
    assert ids("Ab9") == expected([65, 98, 57])
    assert ids("A") != ids("a")


def test_an_empty_token_is_the_two_marks() -> None:
    assert ids("") == [259, 260] + [261] * 48


@pytest.mark.parametrize("length", [1, 47, 48, 49, 60, 5000])
def test_a_token_is_cut_after_48_bytes(length: int) -> None:
    row = ids("x" * length)
    kept = min(length, 48)
    assert row == [259] + [121] * kept + [260] + [261] * (48 - kept)
    assert len(row) == 50


def test_a_cut_token_still_ends_and_has_no_padding() -> None:
    for length in (48, 49, 60):
        row = ids("x" * length)
        assert row[-1] == END
        assert PAD not in row
    assert ids("x" * 47)[-2:] == [END, PAD]
    assert ids("x" * 49) == ids("x" * 48)


def test_the_cut_is_by_byte_and_may_split_a_character() -> None:
    row = ids("a" * 47 + "é")  # bytes 48 and 49 are 0xC3 0xA9: the second is cut off
    assert row == [BEGIN] + [98] * 47 + [0xC3 + 1, END]
    assert ids("é" * 24) == [BEGIN] + [0xC3 + 1, 0xA9 + 1] * 24 + [END]
    assert ids("é" * 25) == ids("é" * 24)


def test_multi_byte_characters_are_their_utf_8_bytes() -> None:
    assert ids("🙂") == expected([0xF0, 0x9F, 0x99, 0x82])
    assert ids("日本") == expected([0xE6, 0x97, 0xA5, 0xE6, 0x9C, 0xAC])
    assert ids("é") != ids("e\u0301")  # no normalisation


def test_every_byte_has_its_own_id() -> None:
    assert ids("\x00") == expected([0])
    assert ids("\x7f") == expected([127])
    assert ids("\U0010ffff") == expected([0xF4, 0x8F, 0xBF, 0xBF])


def test_sentence_boundaries_are_one_character_each() -> None:
    assert ids("<S>") == [259, 257, 260] + [261] * 47
    assert ids("</S>") == [259, 258, 260] + [261] * 47
    for spelling in ("<s>", "</s>", "<S", "<S>.", "<UNK>"):
        assert ids(spelling) == expected(list(spelling.encode()))


def test_a_lone_surrogate_is_dropped() -> None:
    assert ids("a\ud800b") == ids("ab")
    assert ids("\udfff") == ids("")


@pytest.mark.parametrize("max_chars", [3, 10, 64])
def test_other_numbers_of_slots(max_chars: int) -> None:
    for length in (0, 1, max_chars - 3, max_chars - 2, max_chars - 1, 200):
        row = ids("x" * length, max_chars)
        assert row == expected([120] * min(length, max_chars - 2), max_chars)
        assert len(row) == max_chars
    assert ids("<S>", max_chars) == expected([256], max_chars)
    assert ids("</S>", max_chars) == expected([257], max_chars)


def test_a_word_has_the_same_ids_among_others() -> None:
    words = ["", "one", "<S>", "x" * 60, "é" * 30, "</S>", "🙂"]
    together = char_ids(words)
    assert together.dtype == torch.int64
    assert together.shape == (7, 50)
    assert together.tolist() == [ids(word) for word in words]
    assert int(together.min()) >= 1  # 0 is left for a masked token
    assert int(together.max()) <= 261


def test_no_words_give_no_rows() -> None:
    assert char_ids([]).shape == (0, 50)


@pytest.mark.parametrize("widest", [1, 3, 7])
def test_removing_padding_changes_no_maximum(widest: int) -> None:
    words = ["a", "word", "x" * 9, "", "é"]
    whole = char_ids(words)
    cut = without_padding(whole, widest=widest)
    assert cut.shape[1] == 11 + widest  # nine letters, the two marks of a word, and one window of padding
    table = torch.randn(262, 4, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(5, 4, widest, generator=torch.Generator().manual_seed(1))
    pooled = [F.conv1d(table[ids].transpose(1, 2), weight).amax(dim=2) for ids in (whole, cut)]
    torch.testing.assert_close(pooled[0], pooled[1])


def test_words_that_fill_every_slot_do_not_change() -> None:
    whole = char_ids(["x" * 60, "a"])
    assert torch.equal(without_padding(whole, widest=7), whole)
