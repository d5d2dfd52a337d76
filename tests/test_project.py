"""The shape of the project: the order of the rooms, the pins, the addresses, and that what the README says is so."""

import ast
import json
import re
import subprocess
import sys
import tomllib

import address
import pytest
from address import ROOT
from packaging.requirements import Requirement

ROOMS = ["errors", "data", "nets", "latents", "losses", "theory", "train", "checkpoints", "recordings", "classifiers",
         "metrics", "protocols", "plots", "explorer", "lab", "exercises", "commands"]  # fmt: skip
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted((ROOT / "gan_jax").rglob("*.py"))


def of_room(module):
    return module.relative_to(ROOT / "gan_jax").parts[0].removesuffix(".py")


def rooms_imported(module):
    """List the rooms that a module of the package imports, wherever in the file it does so."""
    depth = len(module.relative_to(ROOT / "gan_jax").parts)  # as many dots lead up to gan_jax
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = "gan_jax" if node.level == depth else "." if node.level else ""
            base = ".".join(filter(None, [start, node.module]))
            dotted = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in dotted if name.startswith("gan_jax."))


def test_each_room_imports_only_rooms_before_it():
    imports = [(of_room(module), room) for module in MODULES for room in rooms_imported(module)]
    assert {("train", "losses"), ("data", "errors")} <= set(imports), "the reading of import statements is broken"
    row = [*ROOMS, "__main__"]  # what `python -m gan_jax` runs
    assert [pair for pair in imports if row.index(pair[1]) > row.index(pair[0])] == []
    assert {of_room(module) for module in MODULES} == {*row, "__init__"}


def test_the_readme_maps_the_rooms_in_their_order():
    assert re.findall(r"^\| `(\w+)` \|", README, flags=re.MULTILINE) == ROOMS


def test_all_rooms_are_imported_in_under_3_seconds():
    # the processor's time, not the clock's: the machine may be busy with other tests
    code = f"import time, gan_jax; from gan_jax import {', '.join(ROOMS)}; print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert float(done.stdout) < 3


def test_the_package_never_unpickles():
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                top = {name.split(".")[0] for name in names}
                assert not top & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}, module
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", module


def requirements(name):
    """Read the lines of a requirements file: (requirement, comment)."""
    for line in (ROOT / name).read_text().splitlines():
        requirement, _, comment = line.partition("#")
        if requirement.strip() and not requirement.startswith("-"):
            yield Requirement(requirement.strip()), comment.strip()


def test_every_requirement_is_pinned_and_has_a_reason():
    for requirement, reason in requirements("requirements.txt"):
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), f"{requirement} is not pinned"
        assert len(reason) > 4, f"why does requirements.txt ask for {requirement.name}?"


@pytest.mark.parametrize("pins", ["requirements.txt", "constraints/colab.txt"])
def test_the_pins_lie_in_the_ranges_of_the_package(pins):
    pinned = {requirement.name: requirement for requirement, _ in requirements(pins)}
    dependencies = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}
    if pins == "requirements.txt":
        assert not dependencies.keys() - pinned.keys()
    for name in dependencies.keys() & pinned.keys():
        version = str(pinned[name].specifier).removeprefix("==")
        assert dependencies[name].specifier.contains(version), f"{pinned[name]} is outside {dependencies[name]}"


def test_the_lock_holds_what_requirements_ask_for():
    locked = {
        (requirement.name, str(requirement.specifier)) for requirement, _ in requirements("constraints/locked.txt")
    }
    asked = {(requirement.name, str(requirement.specifier)) for requirement, _ in requirements("requirements.txt")}
    assert asked <= locked, "run `make lock`"


@pytest.mark.parametrize("file", address.written_by_hand(), ids=lambda path: path.name)
def test_every_address_derives_from_the_one_setting(file):
    name = address.repository().removeprefix("https://github.com/")
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    assert address.names_in(file.read_text(encoding="utf-8")) == {name}, "run `make badges`"


@pytest.mark.parametrize("file", [ROOT / "README.md", *NOTEBOOKS], ids=lambda path: path.name)
def test_links_of_this_project_point_at_files_that_exist(file):
    text = address.prose(file)
    home = re.escape(address.repository().removeprefix("https://github.com/"))
    paths = re.findall(rf"{home}/(?:blob|raw|tree)/{address.BRANCH}/([^)\s\"']+)", text)
    paths += re.findall(rf"{home}/{address.BRANCH}\?urlpath=lab/tree/([^)\s\"']+)", text)
    assert paths
    paths = [ROOT / path for path in paths]
    paths += [file.parent / path for path in re.findall(r"\]\((?!https?:|#|attachment:)([^)#\s]+)", text)]
    assert [path for path in paths if not path.exists()] == []


def test_badges_of_the_readme_open_the_first_lesson():
    assert address.badges("notebooks/00_start_here.ipynb") in README


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_what_a_run_leaves(file):
    notebook = json.loads(file.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), "run `make format`"
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"]


def test_the_address_moves_with_one_setting():
    text = "\n".join([address.badges("notebooks/a.ipynb", "https://github.com/old/house"),
                      "git clone https://github.com/old/house.git and https://github.com/somebody/else"])  # fmt: skip
    moved = address.rewrite(text, "https://github.com/new/home")
    assert address.names_in(text) == {"old/house"}
    assert address.names_in(moved) == {"new/home"}
    assert moved.endswith("git clone https://github.com/new/home.git and https://github.com/somebody/else")
    assert "old" not in moved


def test_the_readme_is_short_and_its_commands_exist():
    assert len(README.splitlines()) <= 150
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    commands = set(re.findall(r"^make (\w+)", shown, flags=re.MULTILINE))
    assert {"lab", "test", "bench", "format", "clean"} <= commands
    assert set(re.findall(r"`make (\w+)`", README)) | set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= commands


def test_the_readme_lists_every_lesson():
    assert sorted(re.findall(r"\]\(notebooks/([\w.]+\.ipynb)\)", README)) == [path.name for path in NOTEBOOKS]


def test_the_code_in_the_readme_trains_a_gan(capsys):
    [block] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(block.splitlines()) <= 10
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    shown = README.split(block)[1].split("```")[2]  # the numbers differ between versions; what is printed does not
    assert [line[:19] for line in printed.splitlines()] == [line[:19] for line in shown.strip().splitlines()]
    assert float(re.search(r"high-quality share +([\d.]+)", printed)[1]) > 0.5


def test_the_browser_part_of_make_test_names_every_file_with_browser_tests():
    named = re.search(r"^BROWSER := (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    taken = {path for word in re.findall(r"tests/[\w*.]+", named) for path in ROOT.glob(word)}
    marked = {
        path
        for path in (ROOT / "tests").glob("test_*.py")
        if re.search(r"^[^#\n]*pytest\.mark\.browser\b", path.read_text(), re.MULTILINE)
    }
    assert marked
    assert marked <= taken
