"""The page's JavaScript alone, under node's own test runner: what needs no DOM is tested in tests/js/*.test.mjs."""

import os
import re
import shutil
import subprocess

import pytest
from address import ROOT

pytestmark = pytest.mark.once

NODE = shutil.which("node") or shutil.which("nodejs")
FILES = sorted((ROOT / "tests/js").glob("*.test.mjs"))


def need_node():
    if NODE is None:
        line = "no node: install Node.js 18 or newer (Debian: apt-get install nodejs)"
        pytest.fail(line) if os.environ.get("CI") == "true" else pytest.skip(line)


def run(*files):
    """Run test files; returns (whether all passed, how many tests there were, what node said)."""
    need_node()
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", *map(str, files)], capture_output=True, text=True, timeout=120
    )
    counts = {name: int(n) for name, n in re.findall(r"^# (tests|pass) (\d+)$", done.stdout, flags=re.MULTILINE)}
    return done.returncode == 0 and counts["pass"] == counts["tests"], counts["tests"], done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_the_pages_logic(file):
    passed, count, said = run(file)
    failures = [part for part in re.split(r"(?m)^(?=\s*(?:not )?ok \d+)", said) if part.lstrip().startswith("not ok")]
    assert passed, "\n".join(failures) or said
    assert count > 0, f"{file.name} holds no test"


def test_a_failing_case_fails_here(tmp_path):
    bad = tmp_path / "bad.test.mjs"
    bad.write_text('import test from "node:test";\ntest("no", () => { throw new Error("as it must"); });\n')
    passed, count, said = run(bad)
    assert (passed, count) == (False, 1)
    assert "as it must" in said
