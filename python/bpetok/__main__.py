"""`python -m bpetok` is the `bpetok` command."""

import sys

from bpetok.cli import main

if __name__ == "__main__":
    sys.exit(main())
