"""The kernel gives what the fastText library gives."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.langid import model as models
from tamis.langid.ftz import read
from tamis.langid.windows import windows

TEXTS = [
    "The ferry leaves at noon and comes back before dark.",
    "La rivière monte lentement depuis le matin.",
    "de la de la de la",
    "Дорога идёт через лес к старой мельнице.",
    "今天下午渡船照常开往对岸。",
    "एक छोटी सी नाव नदी पार करती है",
    "x",
    "verylongwordwithoutanyspaceinsidethatisnotremembered and short ones",
]


def _compare(texts: list[str]) -> None:
    model = models.load("default")
    assert model.quantized is not None
    labels = len(model.quantized.labels)
    everything, kinds = np.ones((1, labels), np.bool_), np.zeros(len(texts), np.int64)
    found, chances, mass = model.quantized.predict(pa.array(texts, pa.large_string()), everything, kinds, 4)
    for row, guesses in enumerate(model.predict(texts, 4)):
        said = [model.quantized.labels[label] for label in found[row] if label >= 0]
        assert np.allclose(chances[row], [p for p, _ in guesses], atol=2e-4)
        # Labels in the same order, unless two are as likely as each other.
        assert said == [label for _, label in guesses] or np.min(np.abs(np.diff(chances[row]))) < 2e-4
    assert np.allclose(mass, 1, atol=1e-3)


def test_same_answers_as_the_library() -> None:
    _compare(TEXTS)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.sampled_from("abcdeé' дщю漢かกा-.,ß"), min_size=1, max_size=60), min_size=1, max_size=5))
def test_same_answers_on_anything_a_window_can_hold(lines: list[str]) -> None:
    texts = windows(pa.array(lines, pa.large_string()), 4, 60).texts.to_pylist()
    if texts:
        _compare([text.strip() for text in texts])


def test_what_is_remembered_changes_nothing() -> None:
    model = models.load("default").quantized
    assert model is not None
    everything = np.ones((1, len(model.labels)), np.bool_)
    together = model.predict(pa.array(TEXTS * 3, pa.large_string()), everything, np.zeros(len(TEXTS) * 3, np.int64), 3)
    for row, text in enumerate(TEXTS):
        alone = model.predict(pa.array([text], pa.large_string()), everything, np.zeros(1, np.int64), 3)
        for one, many in zip(alone, together, strict=True):
            assert (one[0] == many[row]).all() and (one[0] == many[row + len(TEXTS)]).all()


def test_labels_that_are_not_admitted_are_not_named() -> None:
    model = models.load("default").quantized
    assert model is not None
    admitted = np.zeros((1, len(model.labels)), np.bool_)
    admitted[0, [3, 7]] = True
    found, chances, mass = model.predict(
        pa.array(TEXTS, pa.large_string()), admitted, np.zeros(len(TEXTS), np.int64), 4
    )
    assert set(found.ravel().tolist()) == {3, 7, -1}
    assert np.allclose(mass, chances.sum(axis=1))


def test_other_kinds_of_model_are_left_to_the_library(shared) -> None:
    # lid.176 has a hierarchical softmax.
    assert read(shared / "models" / "lid.176.ftz") is None


def test_what_this_thread_remembers_can_be_forgotten() -> None:
    model = models.load("default").quantized
    assert model is not None
    everything, kinds = np.ones((1, len(model.labels)), np.bool_), np.zeros(len(TEXTS), np.int64)
    before = model.predict(pa.array(TEXTS, pa.large_string()), everything, kinds, 3)
    many = [f"{letter}{number:x}word" for number in range(70_000) for letter in "ab"]
    model.predict(pa.array([" ".join(many)], pa.large_string()), everything, kinds[:1], 3)
    after = model.predict(pa.array(TEXTS, pa.large_string()), everything, kinds, 3)
    model.forget()
    again = model.predict(pa.array(TEXTS, pa.large_string()), everything, kinds, 3)
    for one, two, three in zip(before, after, again, strict=True):
        assert (one == two).all() and (one == three).all()


def test_one_admitted_label_is_the_answer_and_none_is_none() -> None:
    model = models.load("default").quantized
    assert model is not None
    admitted = np.zeros((2, len(model.labels)), np.bool_)
    admitted[0, 5] = True
    found, chances, mass = model.predict(
        pa.array(["abc def", "abc def", ""], pa.large_string()), admitted, np.array([0, 1, 0]), 2
    )
    assert found.tolist() == [[5, -1], [-1, -1], [-1, -1]]
    assert chances.tolist() == [[1, 0], [0, 0], [0, 0]]
    assert mass.tolist() == [1, 0, 0]
    with pytest.raises(IndexError):
        model.predict(pa.array(["abc"], pa.large_string()), admitted, np.array([2]), 2)
