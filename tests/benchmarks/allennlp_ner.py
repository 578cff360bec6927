"""Train AllenNLP's tagger and print its seconds. This file is run by a Python that has AllenNLP, not by ours.

    PYTHON allennlp_ner.py SETTINGS.json

The model has the sizes of ``task=ner``: frozen word vectors of 50 numbers, a character CNN, two layers of BiLSTM and a
CRF. With ``elmo``, the options and weights of a biLM, ELMo's vectors are concatenated. What AllenNLP offers for speed
is used: batches of similar length, data that are read and indexed before the training, no progress bar, no files.
"""

import json
import logging
import sys
import time
from pathlib import Path

import torch
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.samplers import BucketBatchSampler
from allennlp.data.token_indexers import ELMoTokenCharactersIndexer, SingleIdTokenIndexer, TokenCharactersIndexer
from allennlp.models import Model
from allennlp.training import GradientDescentTrainer
from allennlp_models.tagging import Conll2003DatasetReader

given = json.loads(Path(sys.argv[1]).read_text())
torch.set_num_threads(1)
torch.manual_seed(given["seed"])
logging.disable(logging.WARNING)

indexers = {"tokens": SingleIdTokenIndexer(), "characters": TokenCharactersIndexer(min_padding_length=3)}
embedders = {
    "tokens": {"type": "embedding", "embedding_dim": 50, "trainable": False},
    "characters": {
        "type": "character_encoding",
        "embedding": {"embedding_dim": 16},
        "encoder": {"type": "cnn", "embedding_dim": 16, "num_filters": 128, "ngram_filter_sizes": [3]},
    },
}
width = 50 + 128
if "elmo" in given:
    options, weights = given["elmo"]
    indexers["elmo"] = ELMoTokenCharactersIndexer()
    embedders["elmo"] = {
        "type": "elmo_token_embedder",
        "options_file": options,
        "weight_file": weights,
        "dropout": 0.0,
        "scalar_mix_parameters": given["mix"],
    }
    width += 2 * json.loads(Path(options).read_text())["lstm"]["projection_dim"]
reader = Conll2003DatasetReader(tag_label="ner", coding_scheme="BIOUL", token_indexers=indexers)


def loader(split, size):
    sampler = BucketBatchSampler(batch_size=size, sorting_keys=["tokens"])
    return MultiProcessDataLoader(reader, given[split], batch_sampler=sampler, quiet=True)


train, dev = loader("train", 32), loader("dev", 64)
vocabulary = Vocabulary.from_instances([*train.iter_instances(), *dev.iter_instances()])
for one in (train, dev):
    one.index_with(vocabulary)
model = Model.from_params(
    Params(
        {
            "type": "crf_tagger",
            "label_encoding": "BIOUL",
            "calculate_span_f1": True,
            "dropout": 0.5,
            "text_field_embedder": {"token_embedders": embedders},
            "encoder": {
                "type": "lstm",
                "input_size": width,
                "hidden_size": 200,
                "num_layers": 2,
                "dropout": 0.5,
                "bidirectional": True,
            },
        }
    ),
    vocab=vocabulary,
)
parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
trainer = GradientDescentTrainer(
    model,
    torch.optim.Adam(parameters, lr=0.003),
    train,
    validation_data_loader=dev,
    num_epochs=given["epochs"],
    grad_norm=5.0,
    cuda_device=-1,
    enable_default_callbacks=False,
)
clock = time.process_time
began = clock()
trainer.train()
print(json.dumps({"train_s": clock() - began, "f1": model.get_metrics(reset=False).get("f1-measure-overall")}))
