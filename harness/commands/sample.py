"""``python -m harness sample FOLDER``: write a task's sample data as files, to read or as a model for other data."""

from collections.abc import Sequence
from pathlib import Path

from harness.config.compose import compose_values
from harness.config.instantiate import build
from harness.config.schema import typed
from harness.errors import ConfigError
from harness.optional_protocols import SampleWriter
from harness.protocols import Task
from harness.utils.console import CommandParser, exit_status_of


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    parser = CommandParser(
        prog="python -m harness sample",
        description="Write the train, dev and test splits of a task's synthetic sample data in its published format.",
        epilog="All other arguments are those of python -m harness, such as task=pos. The default is task=ner.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder to write to; it is made if necessary")
    chosen, overrides = parser.parse_with_overrides(arguments)
    return exit_status_of(lambda: _write(chosen.folder, overrides))


def _write(folder: Path, overrides: Sequence[str]) -> None:
    config = typed(compose_values("config", overrides))
    task = build(config.task, kind=Task, where="task", plugins=config.plugins)
    if not isinstance(task, SampleWriter):
        raise ConfigError(f"task={config.task['_target_']} has no sample data to write; choose another task")
    for path in task.write_sample(folder):
        print(path)  # noqa: T201
