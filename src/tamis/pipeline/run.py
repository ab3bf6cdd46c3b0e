"""A run: the plan carried out step by step, committed by receipts, checked, sealed and reported."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from tamis.bounds import plain
from tamis.budget.ledger import Ledger
from tamis.errors import InputError, OutputError
from tamis.pipeline import early, languages, origin, rounds, scoring, signing, tokens
from tamis.pipeline import plan as planning
from tamis.pipeline.books import check, collect
from tamis.pipeline.curate import EXTRACT, SIFT, Curate
from tamis.pipeline.dedupplan import CLUSTER, PAIR
from tamis.pipeline.documents import DOCUMENTS, Finish
from tamis.pipeline.duplicates import Deduplicate
from tamis.pipeline.findings import AUDIT, Audit, raised
from tamis.pipeline.gatekeeper import Gatekeeper, reachable
from tamis.pipeline.healing import healed
from tamis.pipeline.live import Live
from tamis.pipeline.lock import agree, describe
from tamis.pipeline.manifest import NAME, Manifest, Receipt
from tamis.pipeline.outputs import read_ledger, read_problems, write_reports
from tamis.pipeline.placement import SIGNING_GPUS, lent, placed, settle, settle_signing
from tamis.pipeline.plan import Outlook, Plan
from tamis.pipeline.readings import cut_short
from tamis.pipeline.settings import Settings
from tamis.pipeline.shard import Shard
from tamis.pipeline.spans import repair
from tamis.pipeline.storage import PART, InputFiles, Storage
from tamis.pipeline.work import Executor, Work
from tamis.warc.gate import LocalGate
from tamis.warc.manifest import Source, resolve, route

# Called after every finished unit with (step, units done, units in all, its receipt).
Progress = Callable[[str, int, int, Receipt], None]

log = logging.getLogger("tamis")

LOCK = "recipe.lock.json"
# What a run owns in its output folder, and sweeps of files no receipt names.
FOLDERS = ("documents", "dropped", "signatures", "tokens", "work")


@dataclass(frozen=True, slots=True)
class Report:
    """What a run leaves: the folder, the ledger, and the inputs that could not be read, or not to their end."""

    output: str
    ledger: Ledger
    problems: tuple[Source, ...]

    @property
    def complete(self) -> bool:
        """Whether every input was read to its end."""
        return not self.problems

    def table(self) -> pa.Table:
        """Return the ledger as a table."""
        return self.ledger.table()


class Run:
    """One manifest, one output folder, one resolved recipe."""

    def __init__(self, manifest: str, output: str, settings: Settings, *, memory: int = 1 << 30) -> None:
        self.source = manifest
        self.settings = settings
        self.storage = Storage(output)
        self.files = InputFiles(self.storage.cache(), settings.read.requests_per_second)
        self.memory = memory
        self.device = "cpu"  # of scoring
        self.signs = "cpu"  # of signatures

    def plan(self) -> Plan:
        """Resolve the input and return the plan. Raises InputError where there is nothing that can be read."""
        sources = resolve(self.source, self.files, prefix=route(self.settings.read.crawl_data))
        made = planning.make(sources, self.settings, self.files)
        lock = self.storage.read_json(LOCK) if isinstance(self.settings.langid.at_least, str) else None
        known = languages.remembered(self.settings.langid, lock, languages.basis(self.settings.langid, made.extract))
        if known is not None:
            made = planning.make(sources, replace(self.settings, langid=known), self.files)
        if not made.extract:
            problems = "; ".join(f"{source.name}: {source.problem}" for source in sources[:5])
            raise InputError(f"None of the {len(sources)} inputs can be read: {problems}.", "Check the manifest.")
        return made

    def outlook(self, plan: Plan | None = None) -> list[Outlook]:
        """Return what `execute` would do, without doing it; `plan` is that of this run, where it was made already."""
        return planning.outlook(plan or self.plan(), Manifest(self.storage))

    def execute(self, executor: Executor, *, progress: Progress | None = None, clean: bool = False) -> Report:
        """Do what is missing, check the books, and publish. Returns the report."""
        host = reachable(getattr(executor, "address", None))
        with Gatekeeper(LocalGate(self.settings.read.requests_per_second), host=host) as keeper:
            self.files.gatekeeper = keeper.address
            try:
                return self._execute(executor, progress, clean)
            finally:
                self.files.gatekeeper = None

    def _execute(self, executor: Executor, progress: Progress | None, clean: bool) -> Report:
        """Do what is missing, check the books, and publish. Returns the report; `settings` are then as carried out."""
        self.storage.refuse_file()
        if self.settings.scoring is not None:
            self.device = settle(self.settings.scoring, executor)
        if self.settings.dedup is not None:
            self.signs = settle_signing(self.settings.dedup, executor)
        lock = self.storage.read_json(LOCK)
        agree(lock, self.settings, self.storage)
        plan = self.plan()
        self.storage.probe()
        derived = languages.derived(lock) if isinstance(self.settings.langid.at_least, str) else None
        # The lock comes first: it is what tells a folder that was begun from one that is somebody else's.
        self.storage.write(LOCK, describe(self.settings, plan.sources, derived))
        origin.note(self.storage, self.source)
        manifest = Manifest(self.storage)
        with Live(self.storage, manifest.all()) as live:
            carrier = _Carrier(manifest, executor, progress or (lambda *_: None), live)
            plan = self._settled(plan, carrier, lock)
            shards = healed(lambda: self._carry_out(plan, carrier), manifest)
            report = self._publish(plan, manifest, shards, clean)
        self._sweep_parts()
        return report

    def _settled(self, plan: Plan, carrier: _Carrier, lock: Any) -> Plan:
        """Return the plan with bounds in numbers: where they come from the run's own scores, every unit is extracted
        first. They hold for as long as nothing they come from changes."""
        asked, basis = self.settings.langid, languages.basis(self.settings.langid, plan.extract)
        if not isinstance(asked.at_least, str):
            return plan
        known = languages.remembered(asked, lock, basis)
        if known is None:
            self._extract(plan, carrier)
            receipts = [carrier.manifest.get(shard) for shard in plan.extract]
            found = languages.gathered(self.storage, [receipt for receipt in receipts if receipt])
            known = languages.settle(asked, languages.derive(found, asked))
        self.settings = replace(self.settings, langid=known)
        derived = {"way": asked.at_least, "basis": basis, "at_least": plain(known.bound)}
        self.storage.write(LOCK, describe(self.settings, plan.sources, derived))
        return planning.make(plan.sources, self.settings, self.files)

    def _extract(self, plan: Plan, carrier: _Carrier) -> None:
        curate = Curate(self.settings, self.storage, self.files)

        def do(shards: Iterable[Shard]) -> None:
            carrier.do(EXTRACT, curate, shards, of=plan.extract)

        if carrier.manifest.missing(plan.documents):
            carrier.manifest.forget_lost()
        do([replace(shard, payload={**shard.payload, "extract": shard.fingerprint}) for shard in plan.extract])
        repair(plan, carrier.manifest, lambda again: do(_extracted(shard) for shard in again))

    def _carry_out(self, plan: Plan, carrier: _Carrier) -> list[Shard]:
        if carrier.manifest.missing(plan.documents):
            carrier.manifest.forget_lost()
        units = self._curate_shards(plan, carrier.manifest)
        carrier.manifest.void(carrier.manifest.missing(plan.extract))
        self._sift(plan, carrier, units)
        repair(plan, carrier.manifest, lambda again: self._sift(plan, carrier, again))
        self._sign(plan, carrier)
        shards = [*plan.extract, *plan.sift, *plan.sign]
        early = scoring.first(self.settings.scoring, self.settings.dedup)
        if early:
            self._score(plan, carrier)
        if self.settings.dedup is not None:
            scored = self.settings.scoring.name if early and self.settings.scoring else ""
            work = Deduplicate(self.settings.dedup, self.storage, self.memory, scored)
            for step, of in plan.dedup.items():
                carrier.do(step, work, self._joined(plan, carrier, of) if step == CLUSTER else of)
                if step == CLUSTER:
                    rounds.clear(carrier.manifest, self.storage)
                shards += of
        if not early:
            self._score(plan, carrier)
        if self.settings.scoring is not None:
            carrier.do(scoring.CUTOFF, scoring.Cutoffs(self.settings.scoring, self.storage), plan.cutoff)
        shards += [*plan.score, *plan.cutoff]
        carrier.do(DOCUMENTS, Finish(self.settings, self.storage), plan.documents)
        finished = [carrier.manifest.get(shard) for shard in plan.documents]
        last = tokens.shards(plan.tokenize, [receipt for receipt in finished if receipt], self.settings)
        carrier.do(tokens.TOKENIZE, tokens.Tokenize(self.settings, self.storage), last)
        carrier.do(AUDIT, Audit(self.storage, self.memory), plan.audit)
        return [*shards, *plan.documents, *last, *plan.audit]

    def _joined(self, plan: Plan, carrier: _Carrier, clusters: Sequence[Shard]) -> list[Shard]:
        """Return the cluster shards, after what joins documents that one process cannot hold."""
        manifest, pair = carrier.manifest, plan.dedup[PAIR]
        return [rounds.joined(each, pair, manifest, self.storage, self.memory, carrier.do) for each in clusters]

    def _sift(self, plan: Plan, carrier: _Carrier, units: Sequence[Shard]) -> None:
        # Signatures hold no longer than the survivors they are of, even where those keep their fingerprint.
        lost = {shard.name for shard in carrier.manifest.missing(plan.sift)}
        stale = [shard for shard in plan.sign if shard.name in lost or carrier.manifest.get(shard) is None]
        carrier.manifest.void(stale)
        carrier.do(SIFT, Curate(self.settings, self.storage, self.files), units, of=plan.sift)

    def _sign(self, plan: Plan, carrier: _Carrier) -> None:
        """Sign what curate did not, on cards if they are asked for: never in this process, nor in a CPU worker."""
        options = self.settings.dedup
        if options is None or not carrier.manifest.missing(plan.sign):
            return
        work = signing.Sign(options, self.storage, self.signs)
        if self.signs == "cpu":
            carrier.do(signing.SIGN, work, plan.sign)
            return
        with lent(carrier.executor, SIGNING_GPUS) as executor:
            carrier.do(signing.SIGN, work, plan.sign, on=executor)

    def _score(self, plan: Plan, carrier: _Carrier) -> None:
        """Score what is missing, where the device is: never in this process, if a neural model does it."""
        options = self.settings.scoring
        if options is None or not carrier.manifest.missing(plan.score):
            return
        work = scoring.Score(options, self.storage, self.device)
        with placed(carrier.executor, options, self.device) as executor:
            carrier.do(scoring.SCORE, work, plan.score, on=executor)

    def _curate_shards(self, plan: Plan, manifest: Manifest) -> list[Shard]:
        """Return the sift shards, each told whether its texts must be extracted first, and whether it is to sign."""
        found = []
        signs = [shard.fingerprint if self.signs == "cpu" else None for shard in plan.sign] or [None] * len(plan.sift)
        for extract, sift, sign in zip(plan.extract, plan.sift, signs, strict=True):
            stored = manifest.get(extract) is not None
            payload = {**sift.payload, "extract": None if stored else extract.fingerprint, "sign": sign}
            found.append(Shard(sift.step, sift.name, sift.fingerprint, payload))
        return found

    def _publish(self, plan: Plan, manifest: Manifest, shards: list[Shard], clean: bool) -> Report:
        receipts = [receipt for shard in shards if (receipt := manifest.get(shard))]
        ledger = collect(receipts, self.settings)
        check(ledger, receipts, self.settings)
        for told in [*raised(ledger, receipts), *early.agreement(receipts)]:
            log.warning("%s", told)
        described = tokens.folder_files(self.settings, receipts)
        for path, data in described.items():
            self.storage.write(path, data)
        problems = (*plan.problems(), *cut_short(plan.sources, receipts))
        languages.report(self.storage, [manifest.get(shard) for shard in plan.extract], self.settings.langid)
        write_reports(self.storage, ledger, receipts, problems)
        manifest.seal(planning.STEPS, shards)
        self._sweep(manifest.files() | set(described), clean)
        return Report(self.storage.root, ledger, problems)

    def _sweep(self, committed: set[str], clean: bool) -> None:
        """Remove files of earlier recipes and of attempts that died; with `clean`, all of `work/`."""
        for folder in FOLDERS:
            for path in self.storage.list(folder):
                if path not in committed and not path.startswith("work/fetched/"):
                    self.storage.delete(path)
        if clean:
            self.storage.delete_tree("work")

    def _sweep_parts(self) -> None:
        """Remove what drivers that were killed left half-written beside those folders. An object store has no parts."""
        for path in [] if self.storage.remote else self.storage.list(""):
            if PART.search(path) and path.partition("/")[0] not in FOLDERS:
                self.storage.delete(path)


def _extracted(sift: Shard) -> Shard:
    """The shard that only extracts what a sift shard would extract and judge."""
    return Shard(EXTRACT, sift.name, str(sift.payload["extract"]), sift.payload)


class _Carrier:
    """Carries shards to the executor and their receipts to the manifest."""

    def __init__(self, manifest: Manifest, executor: Executor, progress: Progress, live: Live) -> None:
        self.manifest = manifest
        self._live = live
        self.executor = executor
        self._progress = progress

    def do(
        self,
        step: str,
        work: Work,
        shards: Iterable[Shard],
        *,
        of: Sequence[Shard] | None = None,
        on: Executor | None = None,
    ) -> None:
        """Do the shards that are missing; `of` are all shards of the step, where `shards` are only some; `on` is
        another executor than the run's own."""
        given = list(shards)
        missing = self.manifest.missing(given)
        self.manifest.void(missing)
        total = len(of or given)
        done = total - len(missing)
        for receipts in (on or self.executor).run(work, missing):
            for receipt in receipts:
                self.manifest.add(receipt)
            done += 1
            self._live.unit(step, done, total, receipts)
            self._progress(step, done, total, receipts[-1])


def open_report(output: str) -> Report:
    """Return the report of a finished run. Raises OutputError where the folder has no sealed run."""
    storage = Storage(output)
    if not storage.exists("ledger.parquet") or not storage.exists(NAME):
        raise OutputError(f"{output} holds no finished run.", "Run `tamis run MANIFEST OUTPUT` first.")
    return Report(output, read_ledger(storage), read_problems(storage))
