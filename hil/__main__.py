"""``python -m hil``: the same as ``leeze-hil``."""

import sys

from hil.cli import main

sys.exit(main())
