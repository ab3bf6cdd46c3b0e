"""Everything people call a language resolves to one code."""

import pytest

from tamis.errors import UnknownNameError
from tamis.langid import codes
from tamis.langid.codes import label_languages, languages, name, resolve


@pytest.mark.parametrize(
    ("given", "code"),
    [
        *[(given, "eng_Latn") for given in ("en", "eng", "eng_Latn", "English", "ENGLISH", "en-US", "__label__en")],
        *[(given, "fra_Latn") for given in ("fr", "fra", "fre", "français", "French", "__label__fra_Latn")],
        *[(given, "cmn_Hans") for given in ("zh", "zho", "zh-CN", "zh-Hans", "Chinese", "cmn_Hani", "中文")],
        *[(given, "cmn_Hant") for given in ("zh-Hant", "zh-TW", "zh-HK", "zh-Hant-HK", "Traditional Chinese")],
        *[(given, "srp_Cyrl") for given in ("sr", "srp", "Serbian", "српски", "sr-Cyrl")],
        *[(given, "srp_Latn") for given in ("sr-Latn", "srp_Latn", "sr_Latn_RS")],
        *[(given, "arb_Arab") for given in ("ar", "ara", "arb", "Arabic", "العربية")],
        *[(given, "fas_Arab") for given in ("fa", "fas", "per", "pes", "Farsi", "Persian")],
        *[(given, "swh_Latn") for given in ("sw", "swa", "swh", "Swahili", "Kiswahili")],
        *[(given, "nob_Latn") for given in ("no", "nb", "nor", "nob", "Bokmål")],
        *[(given, "zsm_Latn") for given in ("ms", "msa", "may", "zsm", "Malay")],
        ("id", "ind_Latn"),
        ("pt_BR", "por_Latn"),
        ("ga", "gle_Latn"),
        ("he", "heb_Hebr"),
        ("iw", "heb_Hebr"),
        ("ja", "jpn_Jpan"),
        ("ko", "kor_Hang"),
        ("yue_Hani", "yue_Hant"),
        ("als", "als_Latn"),
        ("__label__als", "gsw_Latn"),
        ("und", "und"),
        ("und_Latn", "und_Latn"),
        ("zxx_Code", "zxx_Code"),
        ("hbs_Latn", "hbs_Latn"),
    ],
)
def test_every_spelling_means_its_code(given: str, code: str) -> None:
    assert resolve(given) == code


@pytest.mark.parametrize(("wrong", "nearest"), [("Frnech", "French"), ("fra_Latm", "fra_Latn"), ("Germn", "German")])
def test_an_unknown_language_names_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(UnknownNameError, match=nearest):
        resolve(wrong)


@pytest.mark.parametrize("wrong", ["", "xx", "__label__", "eng_Latin", "not a language at all"])
def test_nonsense_is_no_language(wrong: str) -> None:
    with pytest.raises(UnknownNameError):
        resolve(wrong)


def test_names_say_the_script_where_it_is_not_the_default() -> None:
    assert name("fra_Latn") == "French"
    assert name("srp_Latn") == "Serbian (Latin)"
    assert name("cmn_Hant") == "Chinese (Traditional)"
    assert name("und_Cyrl") == "Undetermined (Cyrillic)"


def test_every_code_of_the_table_resolves_to_itself() -> None:
    for language in languages().values():
        for script in language.scripts:
            assert resolve(f"{language.code}_{script}") == f"{language.code}_{script}"


def test_names_of_languages_with_a_two_letter_code_resolve_to_them() -> None:
    for language in languages().values():
        # Some two-letter codes are of macrolanguages that the table has beside their largest member.
        if any(len(alias) == 2 for alias in language.aliases) and language.code not in ("ipk", "kom", "oji", "crh"):
            assert resolve(language.name) == resolve(language.code), language


def test_a_label_without_script_may_stand_for_several() -> None:
    assert set(label_languages("__label__sr")) == {"srp_Cyrl", "srp_Latn"}
    assert label_languages("__label__srp_Latn") == ("srp_Latn",)
    assert set(label_languages("__label__cmn_Hani")) == {"cmn_Hans", "cmn_Hant"}


def test_scripts_of_languages_are_scripts() -> None:
    for language in codes.languages().values():
        assert all(script in codes.scripts() for script in language.scripts), language
