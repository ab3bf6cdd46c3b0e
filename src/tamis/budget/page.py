"""The report page: one self-contained HTML file that opens without a network. Every text in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from tamis.budget.ledger import Amount, Ledger
from tamis.budget.summary import LanguageSummary


def render(ledger: Ledger, languages: Sequence[LanguageSummary], problems: Sequence[tuple[str, str]]) -> str:
    """Return the page. `problems` are (input, why it could not be read)."""
    template = Template((files("tamis.budget") / "page.html").read_text("utf-8"))
    return template.substitute(
        summary=_summary(ledger, languages),
        languages=_rows(_language_cells(row) for row in languages),
        funnel=_rows(_funnel_cells(ledger)),
        drops=_rows(_drop_cells(ledger)),
        problems=_rows(((_text(name), _text(why)) for name, why in problems)),
        has_problems="" if problems else "hidden",
    )


def _summary(ledger: Ledger, languages: Sequence[LanguageSummary]) -> str:
    steps = ledger.steps
    records = ledger.total(steps[0], "in").documents if steps else 0
    tokens = sum(row.kept_tokens for row in languages)
    documents = sum(row.kept_documents for row in languages)
    kept = sum(row.kept_documents > 0 for row in languages)
    return escape(f"{records:,} records in; {documents:,} documents and {tokens:,} tokens out, in {kept} languages.")


def _language_cells(row: LanguageSummary) -> Iterable[str]:
    yield _text(row.language)
    for number in (row.found_documents, row.found_tokens, row.kept_documents, row.kept_tokens):
        yield _number(number)
    yield _share(row.kept_tokens, row.found_tokens)
    yield _text(row.costliest_reason)
    yield _number(row.costliest_tokens)


def _funnel_cells(ledger: Ledger) -> Iterable[Iterable[str]]:
    for step in ledger.steps:
        taken, kept = ledger.total(step, "in"), ledger.total(step, "kept")
        lost = taken - kept
        yield (_text(step), *map(_number, (taken.documents, kept.documents, lost.documents, kept.tokens, lost.tokens)))


def _drop_cells(ledger: Ledger) -> Iterable[Iterable[str]]:
    totals: dict[tuple[str, str], Amount] = {}
    for step, _, reason, amount in ledger.reasons():
        totals[step, reason] = totals.get((step, reason), Amount()) + amount
    for (step, reason), amount in totals.items():
        yield (_text(step), _text(reason), _number(amount.documents), _number(amount.tokens), _number(amount.bytes))


def _rows(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)


def _text(value: str) -> str:
    return f"<td>{escape(value)}</td>"


def _number(value: int) -> str:
    return f'<td class="n">{value:,}</td>'


def _share(part: int, whole: int) -> str:
    return f'<td class="n">{100 * part / whole:.1f} %</td>' if whole else '<td class="n">–</td>'
