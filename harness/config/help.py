"""The text of ``python -m harness --help``, read from the comments of the config files."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.config.options import CONF, choices_of

_WIDTH = 80

_USAGE = """\
usage: python -m harness [GROUP=CHOICE ...] [KEY=VALUE ...]
       python -m harness -m GROUP=CHOICE,CHOICE ... KEY=VALUE,VALUE ...
       python -m harness COMMAND ...

The first form trains and scores a task on frozen word representations, and
writes the record of the run to results/<task>/<run>/. The second form is a
sweep: it runs every combination of the values. The third form runs one of the
commands below, each of which has its own --help.

examples:
  python -m harness task=ner
  python -m harness task=pos data=official
  python -m harness task=ner data=files data.train=train.conll \\
      data.dev=dev.conll data.test=test.conll
  python -m harness -m mixing=top,mean,scalar_mix seed=1,2,3
  python -m harness report results
"""

_FLAGS = {
    "-m": "run every combination of the values that are separated by commas",
    "--config-dir DIR": "also read groups from DIR, a folder like conf/ with your own choices",
    "--cfg job": "print the whole configuration of the request, and run nothing",
    "--version": "print the version",
}


def help_text(
    folders: Sequence[Path] = (CONF,),
    *,
    root: str = "config",
    usage: str = _USAGE,
    command: str = "python -m harness",
    commands: Mapping[str, str] | None = None,
) -> str:
    """Return the help: commands, every group with its choices, every option of the engine with its default.

    Args:
        folders: The folders of the config groups.
        root: The name of the root config in ``conf/``, without ``.yaml``.
        usage: The text at the top: usage and examples.
        command: The words of the command line before the options.
        commands: A summary of each subcommand in one line, keyed by its name.
    """
    lines = (CONF / f"{root}.yaml").read_text(encoding="utf-8").split("\n")
    groups = [match.groups() for line in lines if (match := re.match(r"  - (\w+): (\w+) +# (.*)", line))]
    out = [usage]
    if commands:
        out += ["commands:", *(_entry(name, summary, 16) for name, summary in commands.items()), ""]
    out += ["flags:", *(_entry(flag, meaning, 20) for flag, meaning in _FLAGS.items()), ""]
    out.append("groups (GROUP=CHOICE; * marks the default):")
    for group, default, meaning in groups:
        starred = [f"{choice}*" if choice == default else choice for choice in choices_of(group, folders)]
        out.append(_entry(group, f"{meaning}: {', '.join(starred)}", 12))
    out += ["", "options (KEY=VALUE, with its default):"]
    section = ""
    for line in lines:
        if match := re.match(r"(\w+):\s*$", line):
            section = f"{match.group(1)}."
        elif match := re.match(r"( *)(\w+): (.*?) +# (.*)", line):
            indent, key, value, meaning = match.groups()
            out.append(_entry(f"{section if indent else ''}{key}={value}", meaning, 30))
    out += ["", *textwrap.wrap(f"choices ({command} GROUP=CHOICE --cfg job shows the options of one):", _WIDTH)]
    for group, _, _ in groups:
        for choice, path in choices_of(group, folders).items():
            comments = re.findall(r"^# (?!@)(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
            out.append(_entry(f"{group}={choice}", comments[0] if comments else "", 30))
    return "\n".join(out)


def _entry(name: str, meaning: str, width: int) -> str:
    """Return a name and its meaning, in two columns if they fit.

    Args:
        name: What can be written on the command line.
        meaning: The explanation.
        width: The width of the column of names.
    """
    wrapped = textwrap.wrap(meaning, _WIDTH - 2 - width, break_long_words=False, break_on_hyphens=False)
    if len(name) >= width:
        wrapped = ["", *wrapped]
    first, *others = wrapped or [""]
    return "\n".join([f"  {name:<{width}}{first}".rstrip(), *(" " * (width + 2) + line for line in others)])
