"""Records the baseline anew from a run: `python tests/baseline/record.py RUN`."""

import sys
from pathlib import Path

from rag.eval.baseline import write_baseline
from rag.eval.records import read_records

if __name__ == "__main__":
    write_baseline(read_records(Path(sys.argv[1])), Path(__file__).parent)
