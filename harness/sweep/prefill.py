"""Encode the features of a sweep before its first job: once for all jobs."""

import logging
from collections.abc import Callable, Sequence

from harness.config.instantiate import names_nothing
from harness.features.store import FeatureStore
from harness.runs.job import SHARED
from harness.runs.plan import layer_source, prepare, sentences
from harness.runs.record import finished_record
from harness.sweep.expand import Job
from harness.types import Sentence
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)

_WORTH_SHARING = 10_000  # tokens; for fewer, starting processes takes longer than encoding


def fill_features(jobs: Sequence[Job], stop: Stop) -> None:
    """Encode the sentences that the unfinished jobs need and the store lacks.

    Args:
        jobs: The jobs of the sweep.
        stop: Tells whether to stop.

    Raises:
        Interrupted: A stop was requested.
    """
    _for_each_store(jobs, stop, lambda _, store, texts: store.fill(texts, check=stop.check))


def encoding_jobs(jobs: Sequence[Job], processes: int, stop: Stop) -> list[Job]:
    """Return jobs that encode one part each of what ``fill_features`` would encode.

    Without them, the other processes, GPUs or machines of a launcher would wait while one process encodes.

    Args:
        jobs: The jobs of the sweep.
        processes: How many processes the launcher has; for a single one, there are no such jobs.
        stop: Tells whether to stop.

    Raises:
        Interrupted: A stop was requested.
    """
    found: list[Job] = []

    def add_parts(job: Job, store: FeatureStore, texts: list[Sentence]) -> None:
        if sum(map(len, store.plan(texts).missing)) >= _WORTH_SHARING:
            parts = [f"shard={number}/{processes}" for number in range(1, processes + 1)]
            found.extend(Job((*job.overrides, part), (*job.own, part), job.config) for part in parts)

    _for_each_store(jobs if processes > 1 else (), stop, add_parts)
    return found


def _for_each_store(
    jobs: Sequence[Job], stop: Stop, act: Callable[[Job, FeatureStore, list[Sentence]], object]
) -> None:
    """Call a function once for each pair of store and data: with an unfinished job, its store and its sentences."""
    seen = set()
    for job in jobs:
        config = job.config
        if config is None or config.shard is not None or config.cache != "disk" or names_nothing(config.encoder):
            continue
        stop.check()
        try:
            plan = prepare(config, SHARED)
            store = layer_source(plan)
            finished = finished_record(plan.folder) is not None and not config.overwrite
            key = (plan.encoder.fingerprint if plan.encoder else "", config.cache_dtype, *plan.digests.values())
            if isinstance(store, FeatureStore) and not finished and key not in seen:
                seen.add(key)
                act(job, store, list(sentences(plan.examples)))
        except Interrupted:
            raise
        except Exception as error:  # the job will meet the same error and report it; the others must run
            log.debug("%s: %s", job, error)
