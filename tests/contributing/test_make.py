"""`make help` leaves no target out."""

import re
import subprocess
from pathlib import Path


def test_every_target_has_its_line():
    makefile = Path("Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    shown = subprocess.run(["make", "--no-print-directory", "help"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in shown.splitlines()] == phony.split()
    assert all(len(line.split()) > 2 for line in shown.splitlines())
