"""Lets the tests of this folder import what lies in tests/support."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
