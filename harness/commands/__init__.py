"""One file for each subcommand of ``python -m harness``: its arguments and what it prints, nothing else.

Each file is named after its command (``static-vectors`` is ``static_vectors.py``) and has one function,
``main(arguments)``, which takes the words after the command's name and returns the exit status.
"""

COMMANDS = {
    "report": "tables, statistics and figures of finished runs",
    "compare": "paired tests of two settings on the same examples and seeds",
    "probe": "what the probes and mixes of finished runs say about layers",
    "predict": "label new text with the trained head of a run",
    "export": "write the frozen vectors of a text to a file, in AllenNLP's layout or another",
    "encode": "fill the feature store with what a run will read, and train nothing",
    "neighbours": "the words and sentences nearest to a word, with and without its context",
    "geometry": "how alike the vectors of each layer are, and which layers are alike",
    "pretrain": "train a biLM on plain text and export it in the official layout",
    "perplexity": "perplexity of a trained biLM, next to count-based models",
    "static-vectors": "train static word vectors on the text of a biLM",
    "plain-text": "write the text of a published data set, to pre-train on",
    "sample": "write a task's sample data as files in its published format",
    "dashboard": "define a wandb view that shows ablations",
}
