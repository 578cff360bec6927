import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from harness.errors import ConfigError
from harness.sklearn import FrozenEncoder

POOLED = {
    "mean": lambda vectors: vectors.mean(0),
    "max": lambda vectors: vectors.max(0),
    "first": lambda vectors: vectors[0],
    "last": lambda vectors: vectors[-1],
}


@pytest.fixture(scope="module")
def encoder() -> FrozenEncoder:
    return FrozenEncoder(device="cpu").fit()


def test_scikit_learn_accepts_the_estimator():
    checks = check_estimator(FrozenEncoder(device="cpu"), on_skip=None)
    assert checks
    assert {check["status"] for check in checks} <= {"passed", "skipped"}


@pytest.mark.parametrize("pooling", POOLED)
@pytest.mark.parametrize("mixing", ["mean", "top", 1])
def test_a_text_becomes_its_mixed_and_pooled_vectors(encoder, mixing, pooling):
    texts = ["The cat isn't here.", ["Dogs", "bark"], ""]
    vectors = FrozenEncoder(mixing=mixing, pooling=pooling, device="cpu").fit_transform(texts)
    assert vectors.shape == (3, 256)
    for row, layers in zip(vectors, encoder.encoder_(texts[:2]), strict=False):
        mixed = {"mean": layers.mean(0), "top": layers[-1], 1: layers[1]}[mixing].numpy()
        np.testing.assert_allclose(row, POOLED[pooling](mixed), atol=1e-6)
    assert not vectors[2].any()


def test_a_pipeline_learns_and_can_be_kept():
    texts = ["A wonderful film.", "Great and moving.", "A terrible film.", "Boring and awful."] * 3
    labels = [1, 1, 0, 0] * 3
    pipeline = make_pipeline(FrozenEncoder(device="cpu"), LogisticRegression(max_iter=1000)).fit(texts, labels)
    assert pipeline.predict(texts).tolist() == labels
    again = pickle.loads(pickle.dumps(pipeline))
    assert again.predict(texts).tolist() == labels
    assert clone(pipeline).get_params()["frozenencoder__encoder"] == "elmo_mini"
    assert pipeline[:-1].get_feature_names_out()[-1] == "elmo_mini255"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "X is a str; give a list of texts"),
        (pd.DataFrame({"text": ["one", "two"]}), "X is a DataFrame; give a list of texts, or one column of a table"),
        (pd.Series(["one", float("nan")]), "text 1 is nan; give a string or a list of tokens"),
        (["one", "two", None], "text 2 is None; give a string or a list of tokens"),
    ],
)
def test_what_is_no_list_of_texts_is_one_line(encoder, texts, message):
    with pytest.raises(ConfigError, match=message):
        encoder.transform(texts)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"pooling": "maen"}, "did you mean 'mean'"),
        ({"mixing": "all"}, "mixing=all"),
        ({"mixing": 7}, "layers 0 to 2"),
        ({"encoder": "elmo_min"}, "did you mean 'elmo_mini'"),
        ({"options": {"stat": 1}}, "did you mean 'state'"),
    ],
)
def test_wrong_options_are_one_line(options, text):
    with pytest.raises(ConfigError, match=text):
        FrozenEncoder(**{"device": "cpu"} | options).fit()
