"""``python -m hil``: the same as ``leeze-hil``."""

import sys

from hil.cli import main

if __name__ == "__main__":  # processes of a pool import it again
    sys.exit(main())
