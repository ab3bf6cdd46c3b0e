"""Confusable languages: scripts split them, policies account for them."""

from collections import Counter

import pyarrow as pa
import pytest

from tamis.errors import UnknownNameError
from tamis.langid import identify, resolve
from tamis.langid.groups import apply, group_of, groups

CYRILLIC = [
    "Река је синоћ порасла и вода је дошла до првих кућа.",
    "Деца су после школе отишла у парк да се играју.",
    "Воз за Београд полази у подне са другог колосека.",
    "Учитељ је рекао да ће испит бити следеће недеље.",
]
LATIN = [
    "Reka je sinoć porasla i voda je došla do prvih kuća.",
    "Deca su posle škole otišla u park da se igraju.",
    "Voz za Beograd polazi u podne sa drugog koloseka.",
    "Učitelj je rekao da će ispit biti sledeće nedelje.",
]
CROATIAN = [
    "Rijeka je sinoć narasla i voda je došla do prvih kuća.",
    "Djeca su nakon škole otišla u park igrati se.",
    "Vlak za Zagreb polazi u podne s drugog kolosijeka.",
    "Učitelj je rekao da će ispit biti sljedećeg tjedna.",
]


def documents() -> list[str]:
    return [f"{a} {b}" for kind in (CYRILLIC, LATIN, CROATIAN) for a in kind for b in kind]


def test_cyrillic_is_never_croatian_or_bosnian_in_latin() -> None:
    said = identify(documents()).field("language").to_pylist()
    assert all(code.endswith("_Cyrl") and code[:3] not in ("bos", "hrv") for code in said[:16])
    assert said[:16].count("srp_Cyrl") >= 15
    assert all(code.endswith("_Latn") for code in said[16:])


def test_merging_and_marking_add_up() -> None:
    identified = identify(documents())
    separate = Counter(apply(identified, "separate").to_pylist())
    merged = Counter(apply(identified, "merge").to_pylist())
    marked = Counter(apply(identified, "ambiguous").to_pylist())
    for group, members in groups().items():
        assert merged[group] == sum(separate[member] for member in members)
    assert sum(separate.values()) == sum(merged.values()) == sum(marked.values()) == len(identified)
    assert marked["hbs_Latn"] + marked["srp_Latn"] + marked["hrv_Latn"] + marked["bos_Latn"] == merged["hbs_Latn"]


def test_a_low_margin_is_ambiguous_and_a_high_one_is_not() -> None:
    rows = [
        {"language": "hrv_Latn", "score": 0.5, "rival": "srp_Latn", "rival_score": 0.4},
        {"language": "hrv_Latn", "score": 0.9, "rival": "srp_Latn", "rival_score": 0.1},
        {"language": "hrv_Latn", "score": 0.5, "rival": "slv_Latn", "rival_score": 0.4},
        {"language": "und_Latn", "score": 0.5, "rival": None, "rival_score": 0.0},
    ]
    identified = pa.array(rows, pa.struct({"language": pa.large_string(), "score": pa.float32(),
                                           "rival": pa.large_string(), "rival_score": pa.float32()}))  # fmt: skip
    assert apply(identified, "ambiguous").to_pylist() == ["hbs_Latn", "hrv_Latn", "hrv_Latn", "und_Latn"]


def test_groups_are_disjoint_and_their_codes_known() -> None:
    members = [member for group in groups().values() for member in group]
    assert len(members) == len(set(members))
    assert all(resolve(code) == code for code in [*members, *groups()])
    assert group_of("fra_Latn") == "fra_Latn"


def test_an_unknown_policy_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="merge"):
        apply(identify(["x"]), "mrege")  # type: ignore[arg-type]
