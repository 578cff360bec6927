"""CharCnnWords, checked against loops in numpy."""

import numpy as np
import pytest
import torch

from harness.nn.char_cnn import CharCnnWords, char_ids

SENTENCES = [["The", "naïve", "a", "The"], [], ["日本", "of"]]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def loop_over_words(module: CharCnnWords, sentences: list[list[str]]) -> np.ndarray:
    """Compute every window of every word in a loop."""
    table, weight, bias = (
        parameter.detach().numpy()
        for parameter in (module.embedding.weight, module.convolution.weight, module.convolution.bias)
    )
    filters, _, width = weight.shape
    output = np.zeros((len(sentences), max(map(len, sentences)), filters))
    for row, sentence in enumerate(sentences):
        for place, word in enumerate(sentence):
            data = list(word.encode())
            for start in range(len(data)):
                window = bias.copy()
                for offset, byte in enumerate(data[start : start + width]):
                    window += weight[:, :, offset] @ table[byte + 1]
                output[row, place] = np.maximum(output[row, place], window)  # from 0: the ReLU
    return output


def test_char_ids_are_bytes_plus_one():
    ids = char_ids([["ab", "é"], ["\0"]])
    assert ids.dtype == torch.int64
    assert ids.tolist() == [[[98, 99], [196, 170]], [[1, 0], [0, 0]]]


def test_char_ids_cut_long_tokens():
    ids = char_ids([["x" * 400, "y"]])
    assert ids.shape == (1, 2, 50)
    assert torch.equal(ids, char_ids([["x" * 50, "y"]]))
    assert char_ids([["abc"]], max_chars=2).tolist() == [[[98, 99]]]


@pytest.mark.parametrize("width", [1, 3, 8])
def test_equals_a_loop_over_words(width):
    module = CharCnnWords(char_dim=4, filters=6, width=width).double()
    expected = torch.from_numpy(loop_over_words(module, SENTENCES))
    output = module(char_ids(SENTENCES))
    assert (output > 0).any()
    torch.testing.assert_close(output, expected)


def test_negative_windows_do_not_lose_to_padding():
    module = CharCnnWords(char_dim=4, filters=6).double()
    module.embedding.weight.data[1:] -= 1.0
    module.convolution.weight.data.fill_(1.0)
    module.convolution.bias.data.fill_(2.0)  # the value of a window that holds only padding
    expected = torch.from_numpy(loop_over_words(module, SENTENCES))
    assert expected.max() < 2.0
    torch.testing.assert_close(module(char_ids(SENTENCES)), expected)


def test_more_padding_changes_nothing():
    module, ids = CharCnnWords(), char_ids(SENTENCES)
    output = module(torch.nn.functional.pad(ids, (0, 7, 0, 2)))
    torch.testing.assert_close(output[:, :4], module(ids))
    assert not output[:, 4:].any()


def test_the_vector_of_a_word_does_not_depend_on_its_batch():
    """In AllenNLP 0.9.0 it does: there, the windows of a short word go on to the end of the longest one."""
    module = CharCnnWords(char_dim=4, filters=6).double()
    module.convolution.bias.data.fill_(0.5)  # windows in padding would count
    words = ["a", "of", "the", "naïve", "x" * 50]
    together = module(char_ids([words, ["internationalisation"]]))[0]
    for word, vector in zip(words, together, strict=True):
        torch.testing.assert_close(module(char_ids([[word]]))[0, 0], vector, rtol=1e-12, atol=1e-12)


def test_a_word_that_is_shorter_than_the_filters_has_a_vector():
    """In AllenNLP 2.10.1 it is zero. A word of at least three characters has its full windows, and two more."""
    module = CharCnnWords(char_dim=4, filters=64).double()
    vectors = module(char_ids([["a", "b", "of", "word"]]))[0]
    assert vectors.any(dim=1).all()
    assert not torch.equal(vectors[0], vectors[1])
    chars = module.embedding(char_ids([["word"]])[0]).transpose(1, 2)
    full = torch.relu(module.convolution(chars).amax(dim=2))[0]
    assert (vectors[3] >= full - 1e-12).all()
    assert (vectors[3] > full + 1e-6).any()


def test_gradient_reaches_every_parameter():
    module = CharCnnWords().double()
    module.convolution.bias.data.fill_(1.0)  # no filter is dead
    module(char_ids(SENTENCES)).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())
    assert module.convolution.weight.grad.flatten(1).any(dim=1).all()
    assert module.convolution.bias.grad.all()
    used = sorted({byte + 1 for sentence in SENTENCES for word in sentence for byte in word.encode()})
    assert module.embedding.weight.grad.any(dim=1).nonzero().flatten().tolist() == used


@pytest.mark.parametrize("sentences", [[], [[]], [[""]], [[], [""]]])
def test_batch_without_any_character(sentences):
    module, ids = CharCnnWords(filters=6), char_ids(sentences)
    assert module.output_dim == 6
    assert torch.equal(module(ids), torch.zeros(*ids.shape[:2], 6))


def test_starts_with_a_zero_vector_for_padding():
    assert not CharCnnWords().embedding.weight[0].any()
