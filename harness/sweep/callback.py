"""The Hydra callback that runs a sweep: one with ``-m``, or a preset that is a sweep."""

import logging
import sys
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from harness.config.explain import wrong_requests_explained
from harness.errors import HarnessError
from harness.utils.console import bad_request

log = logging.getLogger(__name__)


class Sweep(Callback):
    """A Hydra callback that runs a sweep instead of Hydra's basic sweeper.

    The basic sweeper does not encode features ahead of the jobs, and it ends when the process of one job dies. A
    sweeper of another kind (``hydra/sweeper=...``) is left alone.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Run the sweep and exit; Hydra calls this before the first job."""
        if not str(config.hydra.sweeper._target_).endswith(".BasicSweeper"):
            return
        # Imported here, because they import torch, which takes seconds: a single run reports a wrong value without it.
        from harness.sweep.sweeper import run_sweep
        from harness.utils.signals import Interrupted

        try:
            with wrong_requests_explained():
                status = run_sweep(config)
        except HarnessError as error:
            bad_request(str(error), exit_status=error.exit_status)
        except Interrupted as reason:
            bad_request(str(reason), exit_status=1)
        except Exception:  # Hydra would print a warning and continue
            log.exception("the sweep failed")
            sys.exit(1)
        sys.exit(status)
