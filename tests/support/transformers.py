"""Tiny random transformers for tests, written as the folders that ``encoder=transformers`` reads."""

from pathlib import Path
from typing import Any

import torch

WORDS = "the cat sat on mat dogs bark loud ##ly un ##believ ##able a b c d e".split()


def tiny_transformer(folder: Path, kind: str, *, seed: int = 0, **changes: Any) -> Path:
    """Write a random model of three hidden states of width 16.

    Args:
        folder: Where to write it.
        kind: ``bert``, ``roberta``, ``gpt2``, ``llama`` or ``t5``.
        seed: The seed of its weights.
        changes: Options of its configuration to replace.
    """
    import transformers

    tokenizer = _wordpiece() if kind == "bert" else _bpe(bos=kind == "llama", specials=kind == "roberta")
    sizes: dict[str, Any] = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 32}
    if kind == "gpt2":
        sizes = {"vocab_size": len(tokenizer), "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
    if kind == "t5":
        sizes = {"vocab_size": len(tokenizer), "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    if kind == "roberta":
        sizes["max_position_embeddings"] = 34  # two positions are never used
    sizes |= {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    names = {"bert": "Bert", "roberta": "Roberta", "gpt2": "GPT2", "llama": "Llama", "t5": "T5"}
    config = getattr(transformers, f"{names[kind]}Config")(**sizes | changes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _wordpiece() -> Any:
    """Return a tokenizer like that of BERT."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {piece: i for i, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def _bpe(*, bos: bool, specials: bool) -> Any:
    """Return a byte-level tokenizer: like that of Llama with ``bos``, of RoBERTa with ``specials``, else of GPT-2."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    marks = ["<s>", "<pad>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=marks, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["the cat sat on the mat . dogs bark loudly"] * 3, trainer)
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    if bos or specials:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>" if specials else "<s> $A", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", add_prefix_space=True
    )
