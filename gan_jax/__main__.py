"""A line typed in a shell comes in and goes to `commands`; its exit status goes out."""

import signal
import sys

from .commands import main

if __name__ == "__main__":
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one Ctrl-C too many must not disturb the end
    sys.exit(status)
