"""The section ``Runs``: the score of each seed, with links to the folder of the run and to its page at a tracker."""

import os
from urllib.parse import quote

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.parts import Part, Wanted
from harness.analysis.report.tables import Table, in_order, percent


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return the primary metric of each run: one row per setting, one column per seed.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    block, split = analysis.block, analysis.split
    seeds = sorted({run.record.seed for setting in block.settings for run in setting.runs})
    columns = ("#", "setting", *(f"seed {seed}" for seed in seeds))
    rows, folders, pages = [], {}, {}
    for i, one in enumerate(in_order(block, split, wanted.sort)):
        scores = {run.record.seed: percent(run.record.metrics[split][block.metric]) for run in one.runs}
        rows.append((str(one.number), one.label, *(scores.get(seed, "") for seed in seeds)))
        for run in one.runs:
            cell = (i, 2 + seeds.index(run.record.seed))
            place = os.path.relpath(run.folder.resolve(), wanted.out.resolve())
            folders[cell] = f"{quote(os.fsencode(place))}/"
            if run.record.url.startswith(("https://", "http://")):
                pages[cell] = run.record.url
    title = f"Seeds: {block.metric} on {split}"
    tables = [Table(title, columns, rows, text_columns=2, note="A score is a link to its run's folder.", links=folders)]
    if pages:
        note = "A score is a link to the page of its run at wandb, or another tracker."
        tables.append(Table(f"{title}, with links to wandb", columns, rows, text_columns=2, note=note, links=pages))
    return Part("Runs", folded=tables)
