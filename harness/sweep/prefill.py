"""Before the first job of a sweep: find the finished jobs, and encode the features of the others, once for all."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from harness.config.instantiate import names_nothing
from harness.errors import DataFormatError
from harness.features.store import FeatureStore
from harness.runs.cost import encoding_speed
from harness.runs.job import SHARED
from harness.runs.outcome import Outcome
from harness.runs.plan import Plan, layer_source, prepare, sentences
from harness.runs.record import finished_run
from harness.sweep.expand import Job, by_data
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)

_WORTH_SHARING = 10_000  # tokens; for fewer, starting processes takes longer than encoding


def finished_jobs(jobs: Sequence[Job], *, stop: Stop) -> dict[tuple[str, ...], Outcome]:
    """Return the outcomes of the jobs whose runs are finished, by their overrides; they need not be launched.

    Args:
        jobs: The jobs of the sweep.
        stop: Tells whether to stop.

    Raises:
        Interrupted: A stop was requested.
    """
    found = {}
    for job, plan in _planned([job for job in jobs if job.config and not job.config.overwrite], stop):
        with suppress(DataFormatError):  # of a damaged record, which the job will report
            if finished_run(plan.folder) is not None:
                found[job.overrides] = Outcome("ok", folder=str(plan.folder))
    if found:
        log.info("%d of %d runs are finished (overwrite=true runs them again)", len(found), len(jobs))
    return found


def fill_features(
    jobs: Sequence[Job], *, processes: int, launch: Callable[[Sequence[Job]], object], stop: Stop
) -> None:
    """Encode the sentences that the jobs need and the store lacks.

    If the launcher has several processes, they share the encoding: without this, all other processes, GPUs and
    machines would wait while one process encodes.

    Args:
        jobs: The unfinished jobs of the sweep.
        processes: How many processes of the launcher encode at the same time.
        launch: Runs jobs with the launcher; here, jobs that encode one part each.
        stop: Tells whether to stop.

    Raises:
        Interrupted: A stop was requested.
    """
    filled = set()
    stored = [
        job for job in jobs if job.config and job.config.cache == "disk" and not names_nothing(job.config.encoder)
    ]
    for job, plan in _planned(stored, stop):
        key = (plan.encoder.fingerprint if plan.encoder else "", plan.config.cache_dtype, *plan.digests.values())
        if key in filled:
            continue
        filled.add(key)
        try:
            _encode(job, plan, processes, launch, stop)
        except Interrupted:
            raise
        except Exception as error:  # perhaps the job itself succeeds; otherwise it reports the same error
            log.warning("%s: its features cannot be encoded before the jobs: %s", job, " ".join(str(error).split()))


def _encode(job: Job, plan: Plan, processes: int, launch: Callable[[Sequence[Job]], object], stop: Stop) -> None:
    """Encode the sentences of one job, in several processes if that is worth it."""
    store = layer_source(plan)
    assert isinstance(store, FeatureStore)  # because of cache=disk
    texts = list(sentences(plan.examples))
    if processes > 1 and sum(map(len, store.plan(texts).missing)) >= _WORTH_SHARING:
        parts = [f"shard={number}/{processes}" for number in range(1, processes + 1)]
        launch([Job((*job.overrides, part), (*job.own, part), plan.config) for part in parts])
        stop.check()
    store.fill(texts, check=stop.check)  # also what the processes left undone
    encoding_speed(plan, store.folder)  # now, while no other job shares the machine


def _planned(jobs: Sequence[Job], stop: Stop) -> Iterator[tuple[Job, Plan]]:
    """Yield each job that can be planned with its plan."""
    for job in by_data(jobs):
        if job.config is None or job.config.shard is not None:
            continue
        stop.check()
        try:
            plan = prepare(job.config, SHARED)
        except Interrupted:
            raise
        except Exception as error:  # the job will meet the same error and report it; the others must run
            log.debug("%s: %s", job, error)
            continue
        yield job, plan
