"""The text of ``python -m harness --help``, read from the comments of the config files."""

import re
from collections.abc import Mapping
from pathlib import Path

_USAGE = """\
usage: python -m harness [GROUP=CHOICE ...] [KEY=VALUE ...]
       python -m harness -m GROUP=CHOICE,CHOICE ... KEY=VALUE,VALUE ...   (a sweep: every combination)
       python -m harness COMMAND ...                                      (each command has its own --help)

Train and score a task on frozen word representations. The record of the run goes to results/<task>/<run>/.

examples:
  python -m harness task=ner
  python -m harness task=ner data=files data.train=train.conll data.dev=dev.conll data.test=test.conll
  python -m harness task=pos data=official
  python -m harness -m mixing=top,mean,scalar_mix seed=1,2,3
  python -m harness report results
"""


def help_text(
    conf: Path,
    *,
    root: str = "config",
    usage: str = _USAGE,
    command: str = "python -m harness",
    commands: Mapping[str, str] | None = None,
) -> str:
    """Return the help: commands, every group with its choices, every option of the engine with its default.

    Args:
        conf: The folder of the root config and the groups.
        root: The name of the root config, without ``.yaml``.
        usage: The text at the top: usage and examples.
        command: The words of the command line before the options.
        commands: A summary of each subcommand in one line, keyed by its name.
    """
    lines = (conf / f"{root}.yaml").read_text(encoding="utf-8").split("\n")
    groups = [match.groups() for line in lines if (match := re.match(r"  - (\w+): (\w+) +# (.*)", line))]
    out = [usage]
    if commands:
        out += ["commands:", *(f"  {name:<16}{summary}" for name, summary in commands.items()), ""]
    out.append("groups (GROUP=CHOICE; * marks the default):")
    for group, default, meaning in groups:
        choices = list(_choices(conf / group))
        starred = [f"{choice}*" if choice == default else choice for choice in choices]
        out.append(f"  {group:<11}{meaning}: {', '.join(starred)}")
    out += ["", "options (KEY=VALUE):"]
    section = ""
    for line in lines:
        if match := re.match(r"(\w+):\s*$", line):
            section = f"{match.group(1)}."
        elif match := re.match(r"( *)(\w+): (.*?) +# (.*)", line):
            indent, key, value, meaning = match.groups()
            name = f"{section if indent else ''}{key}={value}"
            out.append(f"  {name:<38}{meaning}")
    out += ["", f"choices ({command} GROUP=CHOICE --cfg job shows the options of one):"]
    for group, _, _ in groups:
        for choice, path in _choices(conf / group).items():
            comments = re.findall(r"^# (?!@)(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
            out.append(f"  {f'{group}={choice}':<30}{comments[0] if comments else ''}")
    return "\n".join(out)


def _choices(folder: Path) -> dict[str, Path]:
    """Return the path of each choice of a group; a choice in a subfolder is named ``subfolder/choice``."""
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.glob("**/*.yaml"))}
