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
CANTONESE = [
    "我哋喺車站等咗好耐，啲人都走晒喇。",
    "你食咗飯未呀？唔該俾我睇下嗰本書。",
    "佢哋噚日冇嚟，話今日先至得閒㗎。",
    "呢度嘅嘢好食過嗰間，但係貴咗啲。",
    "唔使擔心，我一陣就嚟接你哋。",
]
CLASSICAL = ["學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？", "天下難事，必作於易；天下大事，必作於細。"]
JAPANESE = [
    "東京都知事選挙の投票率は前回を上回った。",
    "国会議事堂前駅で人身事故が発生し、運転見合わせ。",
    "図書館は午後六時に閉館します。",
    "新型車両の試験走行が開始された。",
    "漢字仮名交じり文の例である。",
]


def said(texts: list[str]) -> list[str]:
    return identify(texts).field("language").to_pylist()


@pytest.mark.parametrize(
    ("texts", "code"), [(SIMPLIFIED, "cmn_Hans"), (TRADITIONAL, "cmn_Hant"), (CANTONESE, "yue_Hant")]
)
def test_forms_are_told_by_their_characters(texts: list[str], code: str) -> None:
    # Alone, in pairs and in longer documents: 40 documents of each kind.
    documents = [*texts, *[a + b for a in texts for b in texts], *["\n".join(texts[i:] + texts[:i]) for i in range(5)]]
    answers = said(documents)
    right = sum(answer == code for answer in answers)
    assert right >= 0.97 * len(documents), [(d, a) for d, a in zip(documents, answers, strict=True) if a != code]


def test_classical_chinese_is_chinese() -> None:
    assert {answer[:3] for answer in said(CLASSICAL)} <= {"cmn", "und"}


def test_kana_is_never_chinese() -> None:
    documents = JAPANESE + [a + b for a in JAPANESE for b in JAPANESE]
    assert set(said(documents)) == {"jpn_Jpan"}


def test_one_kana_in_a_long_chinese_text_does_not_make_it_japanese() -> None:
    assert said(["".join(SIMPLIFIED) * 3 + "优の良品"]) == ["cmn_Hans"]


def test_cantonese_is_a_signal_of_its_own() -> None:
    shares = identify(CANTONESE + SIMPLIFIED).field("cantonese_share").to_pylist()
    assert min(shares[:5]) > 0.05
    assert max(shares[5:]) == 0
