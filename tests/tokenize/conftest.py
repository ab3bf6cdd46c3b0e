"""Sentences written for these tests, one or more per script, and small tokenizers made of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tamis.tokenize import dataset, dataset_files, load, write_shard
from tamis.tokenize.train import PATTERN

SENTENCES = {
    "eng_Latn": "The miller's daughter counted 1234 sacks, and then she'd rest.",
    "fra_Latn": "L'été, nous mangions des cerises près de l'étang; où es-tu allé ?",
    "deu_Latn": "Übermorgen fährt die Straßenbahn früher als gewöhnlich ab.",
    "vie_Latn": "Sáng nay trời mưa nên chúng tôi ở nhà uống trà nóng.",
    "yor_Latn": "Àwọn ọmọ náà ń ṣeré ní ẹ̀gbẹ́ odò.",
    "rus_Cyrl": "Вчера мы долго гуляли по набережной и ели мороженое.",
    "ell_Grek": "Το πρωί ο ψαράς γύρισε με άδεια δίχτυα.",
    "hye_Armn": "Այսօր շուկայում գնեցինք խնձոր և տանձ։",
    "kat_Geor": "დილით ბაზარში ახალი პური ვიყიდეთ.",
    "arb_Arab": "ذَهَبَ الولدُ إلى السوقِ واشترى ٣ تفاحات، ثم عاد؟",
    "heb_Hebr": "הילדה קראה סֵפֶר ליד החלון עד הערב.",
    "hin_Deva": "बारिश के बाद बच्चों ने कागज़ की १२ नावें बनाईं।",
    "ben_Beng": "নদীর ধারে বসে আমরা চা খেলাম।",
    "tam_Taml": "காலையில் பறவைகள் மரத்தில் பாடின.",
    "mal_Mlym": "കുട്ടികൾ മുറ്റത്ത് കളിക്കുന്നു.",
    "sin_Sinh": "අපි ගඟ අසල ඇවිද ගියෙමු.",
    "tha_Thai": "เมื่อเช้านี้ฝนตกหนักเราจึงไม่ได้ไปตลาด",
    "lao_Laoo": "ມື້ນີ້ອາກາດດີຫຼາຍ",
    "khm_Khmr": "ថ្ងៃនេះមេឃស្រឡះល្អណាស់",
    "mya_Mymr": "ဒီနေ့ ရာသီဥတု သာယာတယ်။",
    "bod_Tibt": "དེ་རིང་གནམ་གཤིས་ཡག་པོ་འདུག",
    "amh_Ethi": "ዛሬ ጠዋት ቡና ጠጣን።",
    "cmn_Hans": "昨天晚上下了一场大雪，孩子们堆了3个雪人。",
    "jpn_Jpan": "きのうはスーパーでリンゴを買って、ケーキを焼きました。",
    "kor_Hang": "오늘 아침에 강아지와 함께 공원을 산책했다.",
    "chr_Cher": "ᎣᏏᏲ ᎯᎠ ᎢᎦ",
    "emoji": "👩‍👩‍👧 🏳️‍🌈 👍🏽 ❤️ 𝔘𝔫𝔦 ﬁn ½ Ⅷ ① \u200b\u200d\ufeff",
    "spaces": " \t\ttab  two   three\u00a0no-break\u3000wide \r\n\n\n   end   ",
    "code": "for (i=0;i<10;i++){x[i]+=0xFF;} // https://example.org/a?b=c&d=%20",
    "controls": "a\x00b\x1fc\x7fd\x85e\u2028f\ufffdg",
    "special": "before <|endoftext|> between </s><s> after <|pad|>",
}
TEXTS = list(SENTENCES.values())
SHARED = Path(__file__).resolve().parents[2] / "../shared/data"


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    """Return this module, which tests cannot import."""
    return sys.modules[__name__]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that writes dataset folders, by language a number of documents per shard; ids are w:0 …"""
    monkeypatch.setattr(dataset, "BATCH_ROWS", 5)

    def make(languages: dict[str, list[int]], dtype: Any = None) -> Path:
        encoder, number, home = load("default", dtype=dtype), 0, tmp_path / "tokens"
        for language, counts in languages.items():
            (home / language).mkdir(parents=True)
            shards = []
            for place, count in enumerate(counts):
                names = [f"w:{number + row}" for row in range(count)]
                texts = [f"{name} {TEXTS[row % 9]}" for row, name in enumerate(names)]
                columns = {"id": names, "language": [language] * count, "text": texts}
                batch = pa.record_batch({key: pa.array(values, pa.large_string()) for key, values in columns.items()})
                with (home / language / f"{place:05d}.arrow").open("wb") as sink:
                    shards.append((f"{place:05d}.arrow", write_shard(sink, iter([batch]), encoder)))
                number += count
            for name, content in dataset_files(language, shards, encoder).items():
                (home / language / name).write_bytes(content)
        return home

    return make


def byte_level(size: int, specials: tuple[str, ...] = ("<|endoftext|>",), pattern: str | None = PATTERN) -> Tokenizer:
    """Return a byte-level BPE trained on the sentences, then filled up to `size` ids with made-up merges."""
    tokenizer = Tokenizer(models.BPE())
    byte_step = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [] if pattern is None else [pre_tokenizers.Split(Regex(pattern), behavior="isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, byte_step]) if split else byte_step
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=min(size, 1200), special_tokens=list(specials), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 4, trainer)
    data = json.loads(tokenizer.to_str())
    vocab, merges = data["model"]["vocab"], data["model"]["merges"]
    for left in (first + second for first in alphabet for second in alphabet):
        for right in alphabet:
            if len(vocab) >= size:
                return Tokenizer.from_str(json.dumps(data))
            if left in vocab and left + right not in vocab:
                vocab[left + right] = len(vocab)
                merges.append([left, right])
            elif left not in vocab and len(left) == 2:
                vocab[left] = len(vocab)
                merges.append([left[0], left[1]])
    return Tokenizer.from_str(json.dumps(data))


def saved(tokenizer: Tokenizer, path: Path) -> str:
    """Write a tokenizer file and return its path."""
    tokenizer.save(str(path))
    return str(path)


def bos_eos() -> Tokenizer:
    """Return a tokenizer whose template puts <s> before and </s> after a sequence."""
    tokenizer = byte_level(800, ("<s>", "</s>", "<|pad|>"))
    ids = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ids)
    return tokenizer


def unigram() -> Tokenizer:
    """Return a SentencePiece-like Unigram with metaspace, its control tokens inside the vocabulary."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=900, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 4, trainer)
    return tokenizer
