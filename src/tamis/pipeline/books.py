"""The books of a whole run: every receipt's ledger added up, and the laws that must hold between steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tamis.budget.ledger import Ledger
from tamis.errors import BooksError
from tamis.pipeline.documents import DOCUMENTS, dedup_steps
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.perplexity import steps as scored
from tamis.pipeline.scoring import score_steps
from tamis.pipeline.settings import Settings
from tamis.pipeline.sift import LANGUAGE
from tamis.pipeline.tokens import TOKENIZE

# Text exists, and so has characters and tokens, from language identification on.
BEFORE_TEXT = ("documents", "bytes")


def ledger_steps(settings: Settings) -> list[str]:
    """Return the steps of the ledger in the order a document passes them."""
    url = ["url"] if settings.url else []
    filters = [chain.name for chain in settings.filters]
    last = [*score_steps(settings.scoring), *scored(settings)]
    return ["read", *url, "extract", "langid", LANGUAGE, *filters, *dedup_steps(settings), *last, TOKENIZE]


def collect(receipts: Sequence[Receipt], settings: Settings) -> Ledger:
    """Return the ledger of a run."""
    ledger = Ledger(ledger_steps(settings))
    for receipt in receipts:
        ledger.merge(receipt.ledger)
    return ledger


def check(ledger: Ledger, receipts: Sequence[Receipt], settings: Settings) -> None:
    """Raise BooksError unless every step balances, what one step keeps the next takes in, and the tokens of the ledger
    are those of the documents and of the shards."""
    ledger.check()
    steps = ledger_steps(settings)
    ledger.check_flow(dict(pairwise(steps)), {"url": BEFORE_TEXT, "extract": BEFORE_TEXT, "langid": BEFORE_TEXT})
    written = ledger.total(TOKENIZE, "kept")
    for step in (DOCUMENTS, TOKENIZE):
        facts = [each for receipt in receipts if receipt.step == step for each in receipt.facts["languages"].values()]
        documents, tokens = sum(fact["documents"] for fact in facts), sum(fact["tokens"] for fact in facts)
        if (documents, tokens) != (written.documents, written.tokens):
            raise BooksError(
                f"The ledger has {written.documents} documents and {written.tokens} tokens at the end, "
                f"but the files of step {step!r} hold {documents} and {tokens}.",
                "Files and ledger disagree; the run is not published.",
            )
