"""``python -m drivers``: the same as ``leeze-drivers``."""

import sys

from drivers.cli import main

sys.exit(main())
