"""What is known and done before the first job: what a sweep would cost, and its features, once for all of it."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.config.instantiate import names_nothing
from harness.errors import HarnessError
from harness.features.store import FeatureStore
from harness.runs.cost_estimate import Forecast, Forecaster
from harness.runs.job import PARTS
from harness.runs.plan import Plan, layer_source, prepare, sentences
from harness.runs.record import finished_record
from harness.sweep.expand import Job
from harness.training.determinism import set_up_torch
from harness.types import Sentence
from harness.utils.console import human_bytes, human_seconds
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)

_WORTH_A_START = 10_000  # tokens to encode, for which processes are started to share them


def fill_features(jobs: Sequence[Job], stop: Stop) -> None:
    """Encode what the unfinished jobs need and the store does not hold.

    A job that cannot be prepared is passed over: it will say so itself.
    """
    for job, source, texts in _sources(jobs, stop):
        with _passed_over(job):
            source.fill(texts, check=stop.check)


def shares(jobs: Sequence[Job], processes: int, stop: Stop) -> list[Job]:
    """Return jobs that encode a part each of what ``fill_features`` would encode, where it is worth their start."""
    found = []
    for job, source, texts in _sources(jobs, stop) if processes > 1 else ():
        with _passed_over(job):
            if sum(map(len, source.plan(texts).missing)) >= _WORTH_A_START:
                parts = [f"shard={number}/{processes}" for number in range(1, processes + 1)]
                found += [Job((*job.overrides, part), (*job.own, part), job.config) for part in parts]
    return found


def _sources(jobs: Sequence[Job], stop: Stop) -> Iterator[tuple[Job, FeatureStore, list[Sentence]]]:
    """Yield, once for each store and data, an unfinished job and what it wants to be encoded where."""
    seen = set()
    for job in jobs:
        config = job.config
        if config is None or config.shard is not None or config.cache != "disk" or names_nothing(config.encoder):
            continue
        stop.check()
        with _passed_over(job):
            plan = _prepared(job)
            if finished_record(plan.folder) is not None and not config.overwrite:
                continue
            source = layer_source(plan)
            what = (plan.encoder.fingerprint if plan.encoder else "", config.cache_dtype, *plan.digests.values())
            if isinstance(source, FeatureStore) and what not in seen:
                seen.add(what)
                yield job, source, list(sentences(plan.examples))


@contextmanager
def _passed_over(job: Job) -> Iterator[None]:
    """Let nothing that goes wrong with one job disturb the others."""
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        log.debug("%s: %s", job, error)


def _prepared(job: Job) -> Plan:
    assert job.config is not None
    set_up_torch(job.config)
    return prepare(job.config, PARTS)


def dry_run(jobs: Sequence[Job]) -> str:
    """Return a line a job, and what all of them would cost."""
    lines, forecasts = [], []
    for job, found in _forecasts(jobs):
        forecasts += [found] if isinstance(found, Forecast) else []
        what = found if isinstance(found, str) else "finished" if found.finished else found.training
        lines.append((str(job), what))
    width = max(len(name) for name, _ in lines)
    return "\n".join([*(f"{name:<{width}}  {what}" for name, what in lines), _total(len(jobs), forecasts)])


def _forecasts(jobs: Sequence[Job]) -> Iterator[tuple[Job, Forecast | str]]:
    forecaster = Forecaster()
    for job in jobs:
        if job.config is None:
            yield job, "would fail: the request is wrong (run it by itself to see why)"
            continue
        try:
            yield job, forecaster.forecast(_prepared(job))
        except HarnessError as error:
            yield job, f"would fail: {error}"
        except Exception as error:
            yield job, f"would fail: {type(error).__name__}: {error}"


def _total(jobs: int, forecasts: Sequence[Forecast]) -> str:
    """Add up, a sentence that several jobs need but once."""
    seen: set[tuple[str, Sentence]] = set()
    written, seconds, tokens = 0.0, 0.0, 0
    for one in forecasts:
        new = [sentence for sentence in one.missing if (one.encoder, sentence) not in seen]
        seen.update((one.encoder, sentence) for sentence in new)
        own, all_tokens = sum(map(len, new)), sum(map(len, one.missing))
        tokens += own
        written += one.bytes * own / max(1, all_tokens)
        seconds += one.encode_s * own / max(1, all_tokens)
    finished = sum(one.finished for one in forecasts)
    return (
        f"{jobs} jobs: {finished} finished, {len(forecasts) - finished} to run, {jobs - len(forecasts)} would fail; "
        f"to encode, once: {len(seen):,} sentences ({tokens:,} tokens, {human_bytes(written)}, "
        f"{human_seconds(seconds)}); to train, one after the other: {_training(forecasts)}"
    )


def _training(forecasts: Sequence[Forecast]) -> str:
    """Add up how long training takes, as far as finished runs tell."""
    known = [one.train_s for one in forecasts if one.train_s is not None]
    unknown = sum(one.train_s is None and not one.finished for one in forecasts)
    parts = [f"{human_seconds(sum(known))} at most"] if known or not unknown else []
    parts += [f"{unknown} jobs of which no finished run tells how long"] if unknown else []
    return ", and ".join(parts)
