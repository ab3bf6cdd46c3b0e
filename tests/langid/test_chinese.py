"""Chinese: forms by character evidence, Cantonese as a signal, kana never Chinese."""

import pytest

from tamis.langid import identify

SIMPLIFIED = [
    "这条河每年春天都会涨水，村里的人早就习惯了。",
    "他们把旧桥拆掉，在原来的地方修了一座新的。",
    "图书馆下午六点关门，请读者提前还书。",
    "老师说这个问题很简单，可是没有人回答。",
    "我们从车站走到学校，大约需要二十分钟。",
]
TRADITIONAL = [
    "這條河每年春天都會漲水，村裡的人早就習慣了。",
    "他們把舊橋拆掉，在原來的地方修了一座新的。",
    "圖書館下午六點關門，請讀者提前還書。",
    "老師說這個問題很簡單，可是沒有人回答。",
    "香港的電車行走港島北岸，車費比巴士便宜。",
]
HONG_KONG = [
    "港鐵早上繁忙時間班次較密，但月台仍然十分擠迫。",
    "政府表示會研究在新界興建更多公營房屋。",
    "巴士轉彎時請緊握扶手，下車前請先按鐘。",
    "茶餐廳的凍檸茶要加兩元，熱飲則不用另外付款。",
    "颱風過後，渡輪服務將於下午陸續恢復正常。",
]
JAPANESE = [
    "東京都知事選挙の投票率は前回を上回った。",
    "国会議事堂前駅で人身事故が発生し、運転見合わせ。",
    "図書館は午後六時に閉館します。",
    "新型車両の試験走行が開始された。",
    "漢字仮名交じり文の例である。",
]
CANTONESE = [
    "我哋喺車站等咗好耐，啲人都走晒喇。",
    "你食咗飯未呀？唔該俾我睇下嗰本書。",
    "佢哋噚日冇嚟，話今日先至得閒㗎。",
    "呢度嘅嘢好食過嗰間，但係貴咗啲。",
    "唔使擔心，我一陣就嚟接你哋。",
]
CLASSICAL = [
    "學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？",
    "天下難事，必作於易；天下大事，必作於細。",
    "知人者智，自知者明。勝人者有力，自勝者強。",
    "子曰：三人行，必有我師焉；擇其善者而從之。",
    "千里之行，始於足下；合抱之木，生於毫末。",
]


def said(texts: list[str]) -> list[str]:
    return identify(texts).field("language").to_pylist()


def documents(texts: list[str]) -> list[str]:
    """35 of each kind: sentences alone, in pairs, and in longer documents."""
    pairs = [a + b for a in texts for b in texts]
    return [*texts, *pairs, *["\n".join(texts[i:] + texts[:i]) for i in range(5)]]


KINDS = [
    (SIMPLIFIED, "cmn_Hans"),
    (TRADITIONAL, "cmn_Hant"),
    (HONG_KONG, "cmn_Hant"),
    (CANTONESE, "yue_Hant"),
    (JAPANESE, "jpn_Jpan"),
]


@pytest.mark.parametrize(("texts", "code"), KINDS)
def test_forms_are_told_by_their_characters(texts: list[str], code: str) -> None:
    answers = said(documents(texts))
    right = sum(answer == code for answer in answers)
    wrong = [(d, a) for d, a in zip(documents(texts), answers, strict=True) if a != code]
    assert right >= 0.97 * len(answers), wrong


def test_there_are_two_hundred_documents() -> None:
    assert sum(len(documents(texts)) for texts, _ in KINDS) + len(classical()) >= 200


def classical() -> list[str]:
    return [*CLASSICAL, *[a + b for a in CLASSICAL for b in CLASSICAL]]


def test_classical_chinese_is_chinese() -> None:
    answers = said(classical())
    assert {answer[:3] for answer in answers} <= {"cmn", "und"}
    assert sum(answer == "cmn_Hant" for answer in answers) >= 0.9 * len(answers)


def test_kana_is_never_chinese() -> None:
    documents = JAPANESE + [a + b for a in JAPANESE for b in JAPANESE]
    assert set(said(documents)) == {"jpn_Jpan"}


def test_one_kana_in_a_long_chinese_text_does_not_make_it_japanese() -> None:
    assert said(["".join(SIMPLIFIED) * 3 + "优の良品"]) == ["cmn_Hans"]


def test_cantonese_is_a_signal_of_its_own() -> None:
    shares = identify(CANTONESE + SIMPLIFIED).field("cantonese_share").to_pylist()
    assert min(shares[:5]) > 0.05
    assert max(shares[5:]) == 0
