"""What `ctx evaluate` finds out, as data.

```
Docs ──reading──▶ records of one document, plain lists ──▶ accumulators (add, result) ──▶ a dict
```

A record is dropped once it is counted. What stays are counters, a few numbers a document, and the worst fifty.
The dict is described by `report.schema.json`; nothing here writes files or prints.
"""

from pathlib import Path

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).parents[1] / "report.schema.json"
