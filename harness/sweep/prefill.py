"""Encode the features of a sweep before its first job: once for all jobs."""

import logging
from collections.abc import Callable, Sequence

from harness.config.instantiate import names_nothing
from harness.features.store import FeatureStore
from harness.runs.job import SHARED
from harness.runs.plan import layer_source, prepare, sentences
from harness.runs.record import finished_record
from harness.sweep.expand import Job
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)

_WORTH_SHARING = 10_000  # tokens; for fewer, starting processes takes longer than encoding


def fill_features(
    jobs: Sequence[Job], *, processes: int, launch: Callable[[Sequence[Job]], object], stop: Stop
) -> None:
    """Encode the sentences that the unfinished jobs need and the store lacks.

    If the launcher has several processes, they share the encoding: without this, all other processes, GPUs and
    machines would wait while one process encodes.

    Args:
        jobs: The jobs of the sweep.
        processes: How many processes of the launcher encode at the same time.
        launch: Runs jobs with the launcher; here, jobs that encode one part each.
        stop: Tells whether to stop.

    Raises:
        Interrupted: A stop was requested.
    """
    filled = set()
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
            if not isinstance(store, FeatureStore) or finished or key in filled:
                continue
            filled.add(key)
            texts = list(sentences(plan.examples))
            if processes > 1 and sum(map(len, store.plan(texts).missing)) >= _WORTH_SHARING:
                parts = [f"shard={number}/{processes}" for number in range(1, processes + 1)]
                launch([Job((*job.overrides, part), (*job.own, part), config) for part in parts])
                stop.check()
            store.fill(texts, check=stop.check)  # also what the processes left undone
        except Interrupted:
            raise
        except Exception as error:  # the job will meet the same error and report it; the others must run
            log.debug("%s: %s", job, error)
