"""A line typed in a shell comes in and goes to `commands`; its exit status goes out."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())
