"""The text of ``python -m harness --help``, read from the config files' own comments."""

import re
from pathlib import Path

_USAGE = """\
usage: python -m harness [GROUP=CHOICE ...] [KEY=VALUE ...]
       python -m harness -m GROUP=CHOICE,CHOICE ... KEY=VALUE,VALUE ...   (a sweep: every combination)

Train and score a task on frozen word representations; the record goes to results/<task>/<run>/.

See also, each with --help: python -m harness.analysis.report, .compare, .encode, .dashboard, .power, .neighbours, .pretrain

examples:
  python -m harness task=ner
  python -m harness task=ner data=files data.train=train.conll data.dev=dev.conll data.test=test.conll
  python -m harness task=pos data=official
  python -m harness -m mixing=top,mean,scalar_mix seed=1,2,3
"""


def help_text(conf: Path, *, root: str = "config", usage: str = _USAGE, command: str = "python -m harness") -> str:
    """Return the help: every group with its choices, every option of the engine with its default.

    Args:
        conf: the folder of the root config and the groups.
        root: the root config's name.
        usage: the first lines.
        command: what is typed before the options.
    """
    lines = (conf / f"{root}.yaml").read_text(encoding="utf-8").split("\n")
    groups = [match.groups() for line in lines if (match := re.match(r"  - (\w+): (\w+) +# (.*)", line))]
    out = [usage, "groups (GROUP=CHOICE; the default is starred):"]
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
    out += ["", f"what a choice holds: {command} GROUP=CHOICE --cfg job; what each is for:"]
    for group, _, _ in groups:
        for choice, path in _choices(conf / group).items():
            comments = re.findall(r"^# (?!@)(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
            out.append(f"  {f'{group}={choice}':<30}{comments[0] if comments else ''}")
    return "\n".join(out)


def _choices(folder: Path) -> dict[str, Path]:
    """Return a group's choices, those in subfolders as ``folder/choice``."""
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.glob("**/*.yaml"))}
