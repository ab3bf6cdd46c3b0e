"""What filters know of languages: facts from little text, and bounds that follow from them."""

from __future__ import annotations

from pathlib import Path

from tamis.filters import gopher_quality
from tamis.filters.derive import collect, write
from tamis.filters.walked import language_facts

LONG = "inatsisartut akuersissutigineqartussaatitaanermut pisinnaatitaaffeqarput kiffaanngissuseqarlutik "


def test_few_long_words_are_enough_to_know_that_words_are_long(tmp_path: Path) -> None:
    english = [("eng_Latn", "parallel", "every person has the right to be heard by the others of the town ")] * 60
    write(collect([*english, *[("kal_Latn", "parallel", LONG)] * 50, ("few_Latn", "parallel", LONG)]), tmp_path)
    rows = [row.split("\t") for row in (tmp_path / "languages.tsv").read_text("utf-8").splitlines()]
    facts = {code: (ratio, letters) for code, ratio, letters in rows}
    assert set(facts) == {"language", "eng_Latn", "kal_Latn"}
    assert float(facts["eng_Latn"][0]) == 1
    assert float(facts["kal_Latn"][1]) > 20
    assert 0.1 < float(facts["kal_Latn"][0]) < 0.3, "words six times as long are taken for a sixth as many"


def test_bounds_follow_the_length_of_words() -> None:
    letters = language_facts("word_letters")
    assert len(letters) >= 500
    rules = {rule.reason: rule for rule in gopher_quality().rules()}
    for code in ("kal_Latn", "ike_Cans", "kan_Knda"):
        assert rules["mean_word_letters"].at_most.of(code) > 1.5 * letters[code]
        assert rules["word_count"].at_least.of(code) < 50
    assert all(bound >= 10 for bound in rules["mean_word_letters"].at_most.overrides.values())
