"""``python -m boards``: the same as ``leeze-boards``."""

import sys

from boards.cli import main

sys.exit(main())
