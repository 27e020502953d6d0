"""``python -m controllers``: the same as ``leeze-controllers``."""

import sys

from controllers.cli import main

sys.exit(main())
