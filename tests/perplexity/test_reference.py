"""References: percentiles by length, from held-out documents or from documents made of their lines."""

import numpy as np
import pytest

from tamis.errors import UnknownNameError
from tamis.perplexity.calibrate import _bounds, _made, _nearness
from tamis.perplexity.reference import PERCENTS, Reference, Scores, buckets, percentiles, place
from tamis.perplexity.scorer import CHARACTER_BITS, Measures


def scores(values, tokens):
    values = np.asarray(values, float)
    return Scores(values, values, values, np.full(len(values), tokens))


def test_buckets_cut_at_the_percentiles():
    reference = Reference(np.ones(1), PERCENTS, percentiles(np.arange(1.0, 1001.0), np.ones(1000))[None])
    places = reference.percentile(np.array([1.0, 299, 302, 605, 5000, np.nan]), np.full(6, 50))
    assert buckets(places) == ["head", "head", "middle", "tail", "tail", None]


def test_a_length_is_held_against_its_neighbours():
    reference = Reference(np.array([8.0, 32.0]), np.array([0.0, 100.0]), np.array([[1.0, 100.0], [10.0, 100.0]]))
    found = reference.percentile(np.full(5, 10.0), np.array([1, 8, 16, 32, 999]))
    assert found == pytest.approx([50, 50, 25, 0, 0])


def test_percentiles_of_weighted_documents():
    found = percentiles(np.array([3.0, 1.0, 2.0]), np.ones(3))
    assert found[0] == 1 and found[100] == 2 and found[-1] == 3
    assert np.all(np.diff(found) >= 0)


def test_the_worse_place_is_what_counts():
    line = Reference(np.ones(1), np.array([0.0, 100.0]), np.array([[1.0, 10.0]]))
    worse = Reference(np.ones(1), np.array([0.0, 100.0]), np.array([[1.0, 100.0]]))
    held = {"bits_per_byte": line, "bits_per_piece": line, "combined": worse}
    both = Scores(np.ones(2), np.array([1.0, 10.0]), np.array([10.0, 1.0]), np.array([5, 5]))
    assert place(both, held).tolist() == [100, 100]
    with pytest.raises(UnknownNameError, match="ccnet"):
        place(both, held, "ccnet")


def lines(tokens):
    tokens = np.asarray(tokens)
    counts = np.stack([np.ones_like(tokens), np.ones_like(tokens), tokens, np.zeros_like(tokens)], axis=1)
    return Measures(np.stack([-1.0 * tokens] * 2, axis=1), counts, tokens * 4)


def test_runs_of_lines_end_nearest_to_the_length():
    assert _bounds(np.cumsum([5, 5, 5, 5]), 10).tolist() == [0, 2, 4]
    assert _bounds(np.cumsum([5, 7, 5, 8, 9]), 10).tolist() == [0, 2, 4]
    assert _bounds(np.cumsum([30, 2, 30]), 10).tolist() == [0, 1, 2, 3]


def test_documents_made_of_lines_add_up():
    made = _made(lines([3, 4, 5, 6, 7] * 20), np.arange(101), 20)
    assert made.counts[:, 2] == pytest.approx(-made.logs[:, 1])
    # Four bytes a piece, and a line feed between each two lines.
    assert made.sizes.tolist() == (4 * made.tokens + made.counts[:, 0] - 1).tolist()
    assert (_nearness(made.tokens, 20) > 0).mean() > 0.95
    again = _made(lines([3, 4, 5, 6, 7] * 20), np.arange(101), 20)
    assert again.logs.tobytes() == made.logs.tobytes()


def test_a_character_that_no_piece_covers_costs_what_naming_it_takes():
    one = Measures(np.array([[-2.0, -2.0]]), np.array([[1, 1, 3, 0]]), np.array([10]))
    two = Measures(np.array([[-2.0, -2.0]]), np.array([[1, 1, 3, 4]]), np.array([10]))
    assert two.scores().perplexity == one.scores().perplexity
    assert two.scores().bits_per_byte - one.scores().bits_per_byte == pytest.approx(CHARACTER_BITS * 4 / 10)
