"""The first sentences of a report: which setting is best, and what can be said about it."""

import statistics
from collections.abc import Sequence

from harness.analysis.report.analysis import Analysis, Compared
from harness.analysis.report.tables import SPLITS, percent, spread

_MOST_NAMES = 3
_LEVELS = (0.001, 0.01, 0.05)
_WHY_NOT = "fewer than two seeds are common, or the difference is the same with every seed"


def headline(analysis: Analysis) -> str:
    """Return sentences that say which setting is best on dev, from what it cannot be separated, and what it beats."""
    block, best, split = analysis.block, analysis.best, analysis.split
    seeds = f"{len(best.runs)} seed{'s' if len(best.runs) > 1 else ''}"
    others = [one for one in SPLITS if one != "dev"]
    more = ", ".join(f"{spread(best.scores(one))} on {one}" for one in others)
    what = f"{block.metric} in percent, {seeds}; {more}"
    if len(block.settings) == 1:
        return f"{best.label} has {spread(best.scores('dev'))} on dev ({what})."
    equal = [one for one in block.settings if one is not best and _dev(one.scores("dev")) == _dev(best.scores("dev"))]
    first = f"{_names([one.label for one in (best, *equal)])} {'are' if equal else 'is'} best on dev"
    it = best.label if equal else "it"  # of several best ones, the first is compared with the others
    sentences = [f"{first}, {spread(best.scores('dev'))} ({what})."]
    tested = [pair for pair in analysis.with_best if pair.is_tested]
    tested.sort(key=lambda pair: -statistics.mean(pair.result.b))
    if not tested and not any(pair.is_tested for pair in analysis.with_baseline):
        return f"{sentences[0]} No difference between settings is tested, because {_WHY_NOT}."
    its_baseline = {pair.a.number for pair in analysis.with_baseline if pair.b is best and pair.is_tested}
    untested = len(block.settings) - len({best.number, *its_baseline, *(pair.b.number for pair in tested)})
    if tested:
        everyone = "every other setting" + (" except its baseline" if its_baseline else "")
        sentences.append(_against_others(tested, split, "" if untested else everyone, it))
    if untested:
        what = "setting" if untested == 1 else "settings"
        sentences.append(f"With {untested} {what}, {it} is not compared, because {_WHY_NOT}.")
    return " ".join([*sentences, *_against_baseline(analysis, it)])


def _against_others(tested: Sequence[Compared], split: str, everyone: str, it: str) -> str:
    """Return a sentence about the settings that differ from the best one on the compared split, or do not.

    Args:
        tested: The best setting and each other one that was tested with it.
        split: The compared split.
        everyone: What all these other settings are called together; empty if there are more, which were not tested.
        it: What the best setting is called.
    """
    ties = [pair.b.label for pair in tested if not pair.differ]
    above = [pair for pair in tested if pair.differ and pair.result.difference < 0]
    below = [pair.b.label for pair in tested if pair.differ and pair.result.difference > 0]
    parts = []
    if ties:
        parts.append(f"{it} is not separable from {_names(ties)}")
    if above:
        worst = max(pair.holm_seeds for pair in above)
        whom = _names([pair.b.label for pair in above])
        parts.append(f"{it} is above {whom if ties or below or not everyone else everyone} ({_bound(worst)})")
    if below:
        parts.append(f"{it} is below {_names(below)}")
    return f"On {split}, {'; '.join(parts)}."


def _against_baseline(analysis: Analysis, it: str) -> list[str]:
    """Return a sentence about the best setting, and those that tie with it, against the baseline."""
    pairs = [pair for pair in analysis.with_baseline if pair.is_tested]
    above = [pair for pair in pairs if pair.differ and pair.result.difference > 0]
    if not pairs:
        return []
    if len(analysis.baselines) > 1:
        bases = "; ".join(one.label for one in analysis.baselines[:_MOST_NAMES])
        bases += "; ..." if len(analysis.baselines) > _MOST_NAMES else ""
        return [
            *_against_its_own(analysis, it),
            f"Of {len(pairs)} settings, {len(above)} {'is' if len(above) == 1 else 'are'} above a baseline. Of the "
            f"baselines ({bases}), each is compared with the one that is most like it.",
        ]
    base = analysis.baselines[0]
    if analysis.best is base or not any(pair.b is analysis.best for pair in pairs):
        return []
    top = {one.number for one in (analysis.best, *analysis.ties)} - {base.number}
    found = [pair for pair in above if pair.b.number in top]
    who = {1: f"{_start(it)} is", 2: "Both are"}.get(len(top), f"All {len(top)} are")
    if len(found) == len(top):
        return [f"{who} above {base.label} ({_bound(max(pair.holm_seeds for pair in found))})."]
    if len(top) == 1:
        return [f"{_start(it)} is not shown to be above {base.label}."]
    return [f"Of these {len(top)}, {len(found)} {'is' if len(found) == 1 else 'are'} shown to be above {base.label}."]


def _against_its_own(analysis: Analysis, it: str) -> list[str]:
    """Return a sentence about the best setting and its own baseline, one of several."""
    if analysis.best in analysis.baselines:
        return [f"{_start(it)} is itself a baseline."]
    for pair in analysis.with_baseline:
        if pair.b is analysis.best and pair.is_tested:
            if pair.differ and pair.result.difference > 0:
                return [f"{_start(it)} is above its baseline, {pair.a.label} ({_bound(pair.holm_seeds)})."]
            return [f"{_start(it)} is not shown to be above its baseline, {pair.a.label}."]
    return []


def _start(it: str) -> str:
    """Return what the best setting is called at the start of a sentence."""
    return "It" if it == "it" else it


def _dev(scores: Sequence[float]) -> str:
    return percent(statistics.mean(scores))


def _bound(p: float) -> str:
    """Return the lowest usual level above a p-value."""
    return next(f"p < {level:g}" for level in _LEVELS if p < level)


def _names(labels: Sequence[str]) -> str:
    """Return a list of labels in words; a long one is cut."""
    if len(labels) > _MOST_NAMES + 1:
        return f"{'; '.join(labels[:_MOST_NAMES])} and {len(labels) - _MOST_NAMES} others"
    return f"{'; '.join(labels[:-1])}; and {labels[-1]}" if len(labels) > 2 else " and ".join(labels)
