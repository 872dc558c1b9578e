"""The program of a frozen build: the same door as `python -m microtome`."""

from __future__ import annotations

import sys

from microtome.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
