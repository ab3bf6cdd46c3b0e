"""The plan: every unit of work of a run with its fingerprint, known before anything is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tamis.dedup.options import DedupOptions
from tamis.pipeline import models, packs, scoring, signing
from tamis.pipeline.arrowfiles import verdicts_path
from tamis.pipeline.curate import EXTRACT, SIFT
from tamis.pipeline.dedupplan import CLUSTER, COMMON, COUNT, PAIR, REGROUP, RESOLVE, VERDICT, plan_shards
from tamis.pipeline.documents import DOCUMENTS
from tamis.pipeline.findings import AUDIT
from tamis.pipeline.manifest import Manifest
from tamis.pipeline.repeats import common_path
from tamis.pipeline.scoring import CUTOFF, SCORE
from tamis.pipeline.selected import KIND, spans
from tamis.pipeline.settings import Settings
from tamis.pipeline.shard import Shard
from tamis.pipeline.shelf import contents
from tamis.pipeline.signing import SIGN
from tamis.pipeline.step import Step, digest
from tamis.pipeline.storage import InputFiles
from tamis.pipeline.tokens import TOKENIZE, separator
from tamis.warc.manifest import Source, Span, split

DEDUP_STEPS = (PAIR, CLUSTER, REGROUP, RESOLVE, VERDICT, COUNT, COMMON)
STEPS = (EXTRACT, SIFT, SIGN, *DEDUP_STEPS, SCORE, CUTOFF, DOCUMENTS, TOKENIZE, AUDIT)


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of every step but tokenize, whose shards are cut when the token counts are known."""

    sources: tuple[Source, ...]
    extract: tuple[Shard, ...]
    sift: tuple[Shard, ...]
    dedup: dict[str, tuple[Shard, ...]]
    documents: tuple[Shard, ...]
    tokenize: Step
    audit: tuple[Shard, ...] = ()
    score: tuple[Shard, ...] = ()
    cutoff: tuple[Shard, ...] = ()
    sign: tuple[Shard, ...] = ()

    @property
    def units(self) -> list[str]:
        """The names of the units of input, in manifest order."""
        return [shard.name for shard in self.extract]

    def problems(self) -> list[Source]:
        """Return the sources that cannot be read."""
        return [source for source in self.sources if source.problem]

    def steps(self) -> dict[str, tuple[Shard, ...]]:
        """Return the planned units by step, in order."""
        scored = {SCORE: self.score, CUTOFF: self.cutoff} if self.score else {}
        signed = {SIGN: self.sign} if self.sign else {}
        steps = {EXTRACT: self.extract, SIFT: self.sift, **signed, **self.dedup, **scored, DOCUMENTS: self.documents}
        return steps | ({AUDIT: self.audit} if self.audit else {})


def make(sources: Sequence[Source], settings: Settings, files: InputFiles) -> Plan:
    """Return the plan of a run over resolved sources."""
    steps = _steps(settings)
    extract = tuple(_units(sources, steps[EXTRACT], settings, files))
    sift = tuple(Shard(SIFT, unit.name, steps[SIFT].of([unit.fingerprint]), unit.payload) for unit in extract)
    sign = signing.plan(steps[SIGN], sift, settings.dedup)
    early = scoring.first(settings.scoring, settings.dedup)
    scored = scoring.plan(steps[SCORE], sift, "", None) if early else ()
    everything = digest([[unit.name, unit.fingerprint] for unit in scored or sift])
    dedup = _dedup(steps, settings, everything, [unit.name for unit in sift])
    # What documents depend on: the verdicts, and the lines to be cut where any are.
    last = dedup.get(COMMON, dedup.get(VERDICT, ()))
    clustered = last[0].fingerprint if last else ""
    after, verdicts = (dedup[VERDICT][0].fingerprint, verdicts_path()) if dedup else ("", None)
    if settings.scoring is not None:
        scored = scored or scoring.plan(steps[SCORE], sift, after, verdicts)
    cutoff = scoring.plan_cutoff(steps[CUTOFF], scored, after, verdicts)
    clustered += "".join(shard.fingerprint for shard in cutoff)
    documents = tuple(
        Shard(
            DOCUMENTS,
            unit.name,
            steps[DOCUMENTS].of([unit.fingerprint, clustered]),
            {
                "verdicts": verdicts,
                "index": index,
                "lines": common_path() if COMMON in dedup else None,
            },
        )
        for index, unit in enumerate(sift)
    )
    audited: tuple[Shard, ...] = ()
    if settings.dedup is not None and settings.dedup.audit:
        inputs = [unit.fingerprint for unit in documents]
        audited = (Shard(AUDIT, "all", steps[AUDIT].of(inputs), {"units": [unit.name for unit in documents]}),)
    return Plan(tuple(sources), extract, sift, dedup, documents, steps[TOKENIZE], audited, scored, cutoff, sign)


def _units(sources: Sequence[Source], step: Step, settings: Settings, files: InputFiles) -> list[Shard]:
    units = []
    for pack in packs.packed(sources):
        number, source = pack[0]
        if len(pack) > 1:
            each = [_payload(tiny, Span(tiny, 0, None)) for _, tiny in pack]
            of = [part for _, tiny in pack for part in (tiny.name, files.identity(tiny.uri, tiny.size or 0))]
            units.append(Shard(EXTRACT, f"{number:05d}-000", step.of(of), packs.payload(each)))
            continue
        identity = files.identity(source.uri, source.size or 0)
        for part, span in enumerate(_spans(source, settings, files)):
            fingerprint = step.of([source.name, identity, str(span.start), str(span.end)])
            units.append(Shard(EXTRACT, f"{number:05d}-{part:03d}", fingerprint, _payload(source, span)))
    return units


def _spans(source: Source, settings: Settings, files: InputFiles) -> list[Span]:
    if source.kind == KIND:
        return spans(source, settings.read.unit_bytes, files)
    return split(source, unit_bytes=settings.read.unit_bytes)


def _payload(source: Source, span: Span) -> dict[str, Any]:
    return {"name": source.name, "uri": source.uri, "kind": source.kind, "start": span.start, "end": span.end}


def _dedup(
    steps: dict[str, Step], settings: Settings, everything: str, units: list[str]
) -> dict[str, tuple[Shard, ...]]:
    """Return the shards of the dedup steps; each needs all of the one before."""
    if settings.dedup is None:
        return {}
    found: dict[str, tuple[Shard, ...]] = {}
    before = [everything]
    for step, shards in plan_shards(units, settings.dedup).items():
        found[step] = tuple(
            Shard(step, shard.name, steps[step].of([*before, shard.name]), shard.payload) for shard in shards
        )
        before = [shard.fingerprint for shard in found[step]]
    return found


def _steps(settings: Settings) -> dict[str, Step]:
    encoder = models.encoder(settings.tokenize.tokenizer)
    read = asdict(replace(settings.read, unit_bytes=0))
    for how in ("crawl_data", "requests_per_second"):  # the way bytes come, not what they are
        del read[how]
    output = asdict(settings.output)
    extract = {
        "read": read,
        "url": settings.url.fingerprint if settings.url else None,
        "extract": asdict(settings.extract) | {"version": models.page_extractor(settings.extract).version},
        "langid": models.identifier(settings.langid.model).fingerprint,
        "tokenizer": encoder.checksum,
        "output": output,
    }
    sift = {
        "language": settings.language_options(),
        "filters": [[chain.name, chain.fingerprint] for chain in settings.filters],
        "output": output,
    }
    if settings.perplexity is not None:
        sift["perplexity"] = settings.perplexity.options()
    tokenize = {
        "tokenizer": encoder.checksum,
        "shard_tokens": settings.tokenize.shard_tokens,
        "separator": asdict(separator(settings)),
    }
    options: dict[str, Mapping[str, Any]] = {EXTRACT: extract, SIFT: sift, TOKENIZE: tokenize}
    options |= {DOCUMENTS: {"output": output}, AUDIT: {}, SCORE: {}, CUTOFF: {}}
    options[SIGN] = signing.fingerprint(settings.dedup)
    if settings.scoring is not None:
        options |= {SCORE: scoring.fingerprint(settings.scoring), CUTOFF: settings.scoring.judging()}
    options |= _dedup_options(settings.dedup) if settings.dedup else {}
    return {name: Step(name, 1, chosen) for name, chosen in options.items()}


def _dedup_options(dedup: DedupOptions) -> dict[str, Mapping[str, Any]]:
    """Return what each dedup step depends on; earlier runs count by what they hold, not by where they lie."""
    candidates = {**dedup.candidates, "against": [contents(root) for root in dedup.against]}
    verdict = {**dedup.verdict, "alarm_share": dedup.alarm_share, "on_alarm": dedup.on_alarm}
    lines = {"lines": asdict(dedup.lines) if dedup.lines else None}
    kinds = (candidates, candidates, candidates, dedup.verdict, verdict, lines, lines)
    return dict(zip(DEDUP_STEPS, kinds, strict=True))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would do at one step: units in all, units to do, and how many of those exist but no longer hold."""

    step: str
    units: int
    missing: int
    stale: int


def outlook(plan: Plan, manifest: Manifest) -> list[Outlook]:
    """Return what a run of this plan would do, by step."""
    done = {(receipt.step, receipt.shard) for receipt in manifest.all()}
    found = []
    for step, shards in plan.steps().items():
        missing = manifest.missing(shards)
        stale = sum((shard.step, shard.name) in done for shard in missing)
        found.append(Outlook(step, len(shards), len(missing), stale))
    return found
