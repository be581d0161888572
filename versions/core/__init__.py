"""What every room stands on: settings, connections, errors, locks, retries and named SQL.

Knows nothing of rooms, revisions or command lines.
"""

from pathlib import Path
from typing import Final

# The checkout, or the folder of the installed package.
PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
