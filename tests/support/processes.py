"""Wait for processes, but not forever."""

import os
import resource
import subprocess
import threading


def usage_of(process: "subprocess.Popen[bytes]", *, seconds: float = 300) -> resource.struct_rusage:
    """Wait until a process ends with status 0; return what it used.

    Args:
        process: The process, which nothing else waits for.
        seconds: After this time it is killed, and the test fails.
    """
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
    assert status == 0, f"{process.args} ended with status {os.waitstatus_to_exitcode(status)} (limit: {seconds} s)"
    return usage
