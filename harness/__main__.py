"""``python -m harness``."""

import os

from harness.cli import main
from harness.utils.signals import LAUNCHER, stop_without

if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__" and LAUNCHER in os.environ:  # a process of a sweep's pool, which imports this file first
    stop_without(int(os.environ[LAUNCHER]))
