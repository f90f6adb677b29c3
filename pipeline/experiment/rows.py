"""What `experiment.json` holds of a part."""

from typing import Any

# One dictionary a method, epoch or group, of plain values.
Rows = list[dict[str, Any]]
