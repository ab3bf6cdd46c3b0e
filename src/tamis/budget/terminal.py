"""The report in a terminal: the ledger by language and by step, as rich tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tamis.budget import scaling
from tamis.budget.ledger import Amount, Ledger
from tamis.budget.page import View, si
from tamis.budget.summary import LanguageSummary, summarise


def show(ledger: Ledger, console: Console, *, limit: int = 60) -> None:
    """Print the funnel, the drops, and the languages, at most `limit` of them."""
    languages = summarise(ledger)
    console.print(funnel(ledger))
    console.print(drops(ledger))
    console.print(by_language(languages[:limit]))
    if len(languages) > limit:
        console.print(f"… and {len(languages) - limit} more languages in ledger.csv.")
    console.print(totals(ledger, languages))


def totals(ledger: Ledger, languages: Sequence[LanguageSummary]) -> Text:
    """Return one line: records in, documents and tokens out."""
    records = ledger.total(ledger.steps[0], "in").documents if ledger.steps else 0
    documents, tokens = sum(r.kept_documents for r in languages), sum(r.kept_tokens for r in languages)
    kept = sum(row.kept_documents > 0 for row in languages)
    return Text(f"{records:,} records in; {documents:,} documents and {tokens:,} tokens out, in {kept} languages.")


def by_language(languages: Sequence[LanguageSummary]) -> Table:
    """Return the table of languages, most kept tokens first."""
    table = _table("Language", "found", "tokens found", "kept", "tokens kept", "yield", title="Ledger by language")
    table.add_column("costliest rule", overflow="fold")
    table.add_column("its tokens", justify="right")
    for row in languages:
        share = f"{100 * row.kept_tokens / row.found_tokens:.1f} %" if row.found_tokens else "–"
        numbers = [f"{n:,}" for n in (row.found_documents, row.found_tokens, row.kept_documents, row.kept_tokens)]
        cost = f"{row.costliest_tokens:,}" if row.costliest_reason else ""
        table.add_row(Text(row.language), *numbers, share, Text(row.costliest_reason), cost)
    return table


def funnel(ledger: Ledger) -> Table:
    """Return the table of steps: documents and tokens in and kept."""
    table = _table("Step", "documents in", "kept", "dropped", "tokens in", "tokens kept", title="Funnel")
    for step in ledger.steps:
        taken, kept = ledger.total(step, "in"), ledger.total(step, "kept")
        numbers = (taken.documents, kept.documents, taken.documents - kept.documents, taken.tokens, kept.tokens)
        table.add_row(Text(step), *(f"{number:,}" for number in numbers))
    return table


def drops(ledger: Ledger) -> Table:
    """Return the table of drops by step and reason, all languages."""
    table = Table(title="Drops", title_justify="left")
    table.add_column("Step")
    table.add_column("reason")
    for name in ("documents", "tokens"):
        table.add_column(name, justify="right")
    sums: dict[tuple[str, str], Amount] = {}
    for step, _, reason, amount in ledger.reasons():
        sums[step, reason] = sums.get((step, reason), Amount()) + amount
    for (step, reason), amount in sums.items():
        table.add_row(Text(step), Text(reason), f"{amount.documents:,}", f"{amount.tokens:,}")
    return table


def budget(view: View, *, budget: float | None = None, gpus: int = 1024) -> Iterator[Table]:
    """Yield the tables of yield and supply by language, of estimates where there are any, and of the ladder's cost.

    `budget` is FLOP to spend: each language is then data-bound or compute-bound at it.
    """
    yield _yields(view, budget)
    if view.outlook is not None:
        yield _outlook(view)
    yield _ladder(view, gpus)


def _yields(view: View, budget: float | None) -> Table:
    names = ("medium tokens", "high tokens", "words", "sites", "effective", "top site", "largest model", "4 epochs")
    table = _table("Language", *names, title=f"Budget of this run ({view.rule})")
    if budget:
        table.add_column("bound")
    table.add_column("note", overflow="fold")
    for each in view.yields:
        if each.medium.tokens:
            fed = scaling.supply(float(each.high.tokens), scaling.rule(view.rule), budget=budget)
            words = "–" if each.words is None else f"{each.words:,}"
            sites = (
                f"{each.domains.count:,}",
                f"{each.domains.effective:.1f}",
                f"{100 * each.domains.top_share:.0f} %",
            )
            numbers = (
                f"{each.medium.tokens:,}",
                f"{each.high.tokens:,}",
                words,
                *sites,
                si(fed.once),
                si(fed.repeated),
            )
            bound = (fed.bound,) if budget else ()
            table.add_row(Text(each.language), *numbers, *bound, "; ".join(each.domains.flags))
    return table


def _outlook(view: View) -> Table:
    assert view.outlook is not None
    title = f"Estimates, 90 % intervals, from {view.outlook.sampled:,} of {view.outlook.crawl:,} files"
    years = ("year, medium", "year, high") if view.outlook.year else ()
    table = _table("Language", "crawl, medium", "crawl, high", *years, title=title)
    for each in view.yields:
        estimates = [each.crawl_medium, each.crawl_high]
        estimates += [each.year_medium, each.year_high] if view.outlook.year else []
        shown = (f"{si(e.value)} ({si(e.low)}–{si(e.high)})" if e else "–" for e in estimates)
        table.add_row(Text(each.language), *shown)
    table.caption = f"A language not seen has at most {si(view.outlook.unseen_limit)} tokens in the crawl."
    return table


def _ladder(view: View, gpus: int) -> Table:
    title = f"Ladder: cost at {100 * view.utilisation:.0f} % of the peak of {view.gpu}"
    table = _table("Parameters", "least tokens", "GPU hours", f"days on {gpus:,}", title=title)
    for rung in scaling.ladder():
        hours = scaling.gpu_hours(scaling.flops(rung.parameters, rung.tokens), view.gpu, view.utilisation)
        table.add_row(si(rung.parameters), si(rung.tokens), f"{hours:,.0f}", f"{hours / 24 / gpus:,.1f}")
    table.add_section()
    for row in scaling.references():
        used = f"{row.gpu}, {100 * row.utilisation:.1f} % of its peak"
        table.add_row(f"{si(row.parameters)} (on record)", si(row.tokens), f"{row.hours:,.0f}", used)
    return table


def _table(first: str, *numbers: str, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
