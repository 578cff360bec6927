"""Say what a sweep would cost before it starts (``dry_run=true``)."""

from collections.abc import Sequence

from harness.errors import HarnessError
from harness.runs.cost_estimate import CostEstimate, CostEstimator
from harness.runs.job import SHARED
from harness.runs.plan import prepare
from harness.sweep.expand import Job, by_data
from harness.utils.console import human_bytes, human_seconds, printable
from harness.utils.download import NotDownloaded, no_downloads


def dry_run(jobs: Sequence[Job], processes: int) -> tuple[str, int]:
    """Return one line per job and a last line with the cost of all of them together, and how many would fail.

    Args:
        jobs: The jobs of the sweep.
        processes: How many of them run at the same time.
    """
    estimator = CostEstimator()
    with no_downloads():
        costs = {job.overrides: _estimate_or_error(job, estimator) for job in by_data(jobs)}
    found = [costs[job.overrides] for job in jobs]
    width = max(len(str(job)) for job in jobs)
    lines = []
    for job, one in zip(jobs, found, strict=True):
        cost = one if isinstance(one, str) else "finished" if one.finished else one.download or one.training
        lines.append(f"{job!s:<{width}}  {cost}")
    estimates = [one for one in found if isinstance(one, CostEstimate)]
    return "\n".join([*lines, _total(len(jobs), estimates, processes)]), len(jobs) - len(estimates)


def _estimate_or_error(job: Job, estimator: CostEstimator) -> CostEstimate | str:
    """Return what a job would cost, or a text that says why it would fail."""
    if job.config is None:
        return f"would fail: {printable(job.error)}"
    try:
        return estimator.estimate(prepare(job.config, SHARED))
    except NotDownloaded as reason:
        return CostEstimate(download=str(reason))
    except HarnessError as error:
        return f"would fail: {printable(str(error))}"
    except Exception as error:  # the costs of the other jobs must be shown, whatever is wrong with this one
        return f"would fail: {type(error).__name__}: {' '.join(str(error).split())}"


def _total(jobs: int, estimates: Sequence[CostEstimate], processes: int) -> str:
    """Return the line about all jobs; the estimates count a sentence that several jobs need only once."""
    unfinished = [one for one in estimates if not one.finished]
    waiting = [one for one in unfinished if one.download]
    known = [one.train_s for one in unfinished if one.train_s is not None]
    training = [f"at most {human_seconds(sum(known) / processes)}"] if known or not unfinished else []
    if waiting:
        training.append(f"an unknown time for {len(waiting)} jobs whose files are not downloaded yet")
    if unknown := len(unfinished) - len(known) - len(waiting):
        training.append(
            f"an unknown time for {unknown} jobs (no finished run has the same task options and vector widths)"
        )
    tokens, written = sum(one.tokens for one in estimates), human_bytes(sum(one.bytes for one in estimates))
    seconds = human_seconds(sum(one.encode_s for one in estimates))
    order = "one after the other" if processes == 1 else f"{processes} at the same time"
    return (
        f"{jobs} jobs: {len(estimates) - len(unfinished)} finished, {len(unfinished)} to run, "
        f"{jobs - len(estimates)} would fail; to encode, once: {sum(one.missing for one in estimates):,} sentences "
        f"({tokens:,} tokens, {written}, {seconds}); to train, {order}: {' and '.join(training)}"
    )
