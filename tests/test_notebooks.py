"""Each notebook runs as a learner finds it, and passes every check with the solutions filled in; and keeps the rules.

A lesson is executed once, by nbmake, in a copy in which both happen: before each exercise's cell stands the same cell
with the solution, and a later cell that uses an answer runs with the solution before it runs with the stub. All other
cells run as they are. After a cell whose metadata list `claims`, expressions that its text relies on, these are
asserted. The time and the kernel's memory are measured, and what the run leaves is searched for errors inside
widgets, which nbmake does not see.
"""

import ast
import copy
import functools
import itertools
import os
import re
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
import pytest
from address import repository

from gan_jax import exercises

FOLDER = Path(__file__).parents[1] / "notebooks"
ARTEFACTS = FOLDER.parent / ".artefacts"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS, MEGABYTES = 90, 1500  # of one lesson on two cores
CELL_SECONDS = 180  # no cell may hang
REPOSITORY = repository().removeprefix("https://github.com/")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@functools.cache
def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def exercise_cells(notebook) -> dict[str, nbformat.NotebookNode]:
    return {cell.metadata.exercise: cell for cell in code_cells(notebook) if "exercise" in cell.metadata}


# ------------------------------------------------------------------------------------------------- running


class Run(NamedTuple):
    """A notebook after its run, and what its kernel used at most: memory, and seconds of all cores together."""

    notebook: nbformat.NotebookNode
    megabytes: float
    cpu_seconds: float


def watch_kernels(done: threading.Event, most: dict[str, float]) -> None:
    """Note the memory and the computing time of the kernels below this process until told to stop."""
    while not done.wait(0.05):
        for child in psutil.Process().children(recursive=True):
            try:
                if any("ipykernel" in word for word in child.cmdline()):
                    times = child.cpu_times()
                    most["megabytes"] = max(most["megabytes"], child.memory_info().rss / 1e6)
                    most["cpu_seconds"] = max(most["cpu_seconds"], times.user + times.system)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                pass


def watched(action) -> dict[str, float]:
    """Run something, and return the most that a kernel below this process used."""
    done, most = threading.Event(), {"megabytes": 0.0, "cpu_seconds": 0.0}
    watcher = threading.Thread(target=watch_kernels, args=(done, most))
    watcher.start()
    try:
        action()
    finally:
        done.set()
        watcher.join()
    return most


def bound(code: str) -> set[str]:
    """Names that a cell defines."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree = ast.parse(code)
    outside = [node for node in tree.body if not isinstance(node, kinds)]
    stored = [n for part in outside for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return {node.name for node in tree.body if isinstance(node, kinds)} | {name.id for name in stored}


def read_by(code: str) -> set[str]:
    """Names that a cell uses."""
    nodes = ast.walk(ast.parse(code))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def with_solutions(path: Path) -> nbformat.NotebookNode:
    """The lesson with every exercise first solved, then as a learner finds it, and its claims asserted."""
    notebook = copy.deepcopy(read(path))
    declared = {exercise.name: exercise for exercise in exercises.source(path.stem).exercises}
    answers: dict[str, str] = {}  # the name of what a learner writes, and the exercise that asks for it
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            cells.append(cell)
            continue
        name = cell.metadata.get("exercise")
        claims = "\n".join(f"assert {claim}, {claim!r}" for claim in cell.metadata.get("claims", []))
        added = functools.partial(added_cell, cell.id)
        if name:
            cells += [added(declared[name].cell(declared[name].solution), "solved", solved=name), cell]
            answers |= dict.fromkeys(bound(cell.source), name)
        elif uses := sorted({answers[word] for word in read_by(cell.source) & answers.keys()}):
            solutions = "\n".join(declared[use].solution for use in uses)
            stubs = "\n".join(declared[use].stub for use in uses)
            cells += [
                added(f"{solutions}\n{cell.source}", "with-answers"),
                added(claims, "claims"),
                added(stubs, "stubs"),
                cell,
            ]
        else:
            cells += [cell, added(claims, "claims")] if claims else [cell]
    notebook.cells = cells
    return notebook


def added_cell(beside: str, code: str, what: str, **metadata: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(code, id=f"{beside}-{what}", metadata={"added": True, **metadata})


RUNS: dict[Path, Run | str] = {}
"""How each lesson's execution ended."""


@pytest.fixture
def executed(tmp_path_factory):
    """Runs a lesson with nbmake, once for all tests; what it leaves is read from a copy."""

    def run(path: Path) -> Run:
        if path not in RUNS:
            RUNS[path] = execute(path, tmp_path_factory.mktemp("executed") / path.name)
        ended = RUNS[path]
        assert isinstance(ended, Run), ended
        return ended

    return run


def execute(path: Path, file: Path) -> Run | str:
    """Run a lesson in a copy; what nbmake says comes back where a cell fails."""
    nbformat.write(with_solutions(path), file)
    options = ["--nbmake", "--overwrite", f"--nbmake-timeout={CELL_SECONDS}", "-p", "no:cacheprovider", "-q"]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={file.parent}", "-c", os.devnull, str(file)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = {}

    def nbmake():
        ended["as"] = subprocess.run(command, capture_output=True, text=True, cwd=file.parent, env=inherited)

    used = watched(nbmake)
    if ended["as"].returncode:
        return ended["as"].stdout + ended["as"].stderr
    return Run(nbformat.read(file, as_version=4), **used)


def seconds(cell) -> float:
    """How long a cell ran, by the times that nbclient notes in it."""
    noted = cell.metadata.get("execution", {})
    times = [nbformat_time(noted[name]) for name in ("iopub.execute_input", "shell.execute_reply") if name in noted]
    return times[1] - times[0] if len(times) == 2 else 0.0


def nbformat_time(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def errors_in_widgets(value, where="widgets") -> list[str]:
    """Errors that ended in a widget's output, or that one of our widgets shows, anywhere in the stored state."""
    if isinstance(value, dict):
        found = [f"{where}: {value.get('ename')}: {value.get('evalue')}"] if value.get("output_type") == "error" else []
        found += [f"{where}: {value['error']}"] if isinstance(value.get("error"), str) and value["error"] else []
        return found + [error for key, part in value.items() for error in errors_in_widgets(part, f"{where}.{key}")]
    if isinstance(value, list):
        return [error for part in value for error in errors_in_widgets(part, where)]
    return []


def printed(cell) -> str:
    """All that a cell shows as text."""
    shown = []
    for output in cell.get("outputs", []):
        shown += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    return "\n".join(shown)


@each_notebook
@pytest.mark.notebook
@pytest.mark.timeout(900, method="signal")
def test_it_runs_as_it_is_and_every_check_passes_with_the_solution(path, executed):
    notebook = executed(path).notebook
    for name, cell in exercise_cells(notebook).items():
        assert "Not attempted yet" in printed(cell), f"{name}: {printed(cell)}"
    solved = {cell.metadata.solved: printed(cell) for cell in code_cells(notebook) if "solved" in cell.metadata}
    assert solved.keys() == exercise_cells(notebook).keys()
    for name, shown in solved.items():
        assert shown.lstrip().startswith("✓ Right"), f"{name}: {shown}"


@each_notebook
@pytest.mark.notebook
@pytest.mark.timeout(900, method="signal")
def test_no_widget_holds_an_error(path, executed):
    notebook = executed(path).notebook
    assert not errors_in_widgets(notebook.metadata.get("widgets", {}))
    views = [o for c in code_cells(notebook) for o in c.outputs if "widget-view" in str(o.get("data", {}).keys())]
    assert not views or notebook.metadata.get("widgets"), "the widgets' state was not kept, so nothing was searched"


@each_notebook
@pytest.mark.notebook
@pytest.mark.timeout(900, method="signal")
def test_time_and_memory_are_within_the_budget(path, executed, capsys):
    run = executed(path)
    spent = {cell.id: seconds(cell) for cell in code_cells(run.notebook) if "added" not in cell.metadata}
    total, slowest = sum(spent.values()), sorted(spent, key=lambda name: -spent[name])[:3]
    # of the kernel's seconds, the share of the cells that a learner finds
    computing = run.cpu_seconds * total / max(sum(map(seconds, code_cells(run.notebook))), 1e-9)
    longest = ", ".join(f"{name} {spent[name]:.1f} s" for name in slowest)
    noted = (
        f"{path.stem}: {total:.0f} s by the clock, {computing:.0f} s of computing, at most {SECONDS}; "
        f"{run.megabytes:.0f} MB, at most {MEGABYTES}; longest: {longest}\n"
    )
    ARTEFACTS.mkdir(exist_ok=True)  # a worker's output is not shown
    with (ARTEFACTS / "lessons.txt").open("a") as file:
        file.write(noted)
    with capsys.disabled():
        print(f"\n{noted}")
    assert total > 0, "the cells' times were not noted"
    # alone on two cores the clock is the shorter one; beside other work it runs on while the kernel waits its turn
    assert min(total, computing) <= SECONDS
    assert 0 < run.megabytes <= MEGABYTES


@each_notebook
@pytest.mark.notebook
def test_every_picture_has_a_description(path, executed):
    for cell in code_cells(executed(path).notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:  # a widget's still frame; a bare figure's text is "<Figure size ...>"
                assert re.match(r"[^<].{20}", data.get("text/plain", "")), f"{cell.id}: a picture without words"
            for image in re.findall(r"<img\b[^>]*>", data.get("text/html", "")):
                assert len(re.search(r'alt="([^"]*)"', image)[1]) > 20, f"{cell.id}: {image[:80]}"


# ------------------------------------------------------------------------------------------------- the rules


def test_there_are_lessons():
    assert {path.stem for path in NOTEBOOKS} >= set(exercises.LESSONS)


@each_notebook
def test_it_is_a_clean_notebook(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
        ast.parse(cell.source)  # no magics: they work in no other place than a notebook


@each_notebook
def test_cell_ids_are_unique_words(path):
    ids = [cell.id for cell in read(path).cells]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name), name
        assert not re.fullmatch(r"[0-9a-f]{8,}", name), f"{name} is a random id; give the cell a name"


@each_notebook
def test_no_cell_is_long(path):
    for cell in code_cells(read(path)):
        assert len(cell.source.splitlines()) <= 25, cell.id
        assert max(map(len, cell.source.splitlines()), default=0) <= 120, cell.id


@each_notebook
def test_headings_never_skip_a_level(path):
    prose = re.sub(r"```.*?```", "", text(read(path)), flags=re.DOTALL)
    levels = [len(marks) for marks in re.findall(r"^(#{1,6}) ", prose, flags=re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), levels


@each_notebook
def test_exercises_stand_in_it_as_they_are_declared(path):
    source = exercises.source(path.stem)
    cells = exercise_cells(read(path))
    assert list(cells) == [exercise.name for exercise in source.exercises]
    for exercise in source.exercises:
        assert cells[exercise.name].source == exercise.cell(exercise.stub), exercise.name
    code = "\n".join(cell.source for cell in code_cells(read(path)))
    assert re.findall(r"^lesson\.quiz\.(\w+)$", code, re.MULTILINE) == [question.name for question in source.quiz]
    assert "lesson.progress()" in code


@each_notebook
def test_each_objective_names_exercises_that_exist(path):
    (cell,) = (cell for cell in read(path).cells if cell.id == "objectives")
    objectives = re.findall(r"^(?:[-*]|\d+\.) (.+)$", cell.source, re.MULTILINE)
    source = exercises.source(path.stem)
    known = {exercise.name for exercise in source.exercises} | {question.name for question in source.quiz}
    assert 3 <= len(objectives) <= 5
    for objective in objectives:
        named = set(re.findall(r"`(\w+)`", objective)) & known
        assert named, f"{objective}: end it with (exercise: `name`); known: {sorted(known)}"


@each_notebook
def test_badges_lead_to_this_file(path):
    first = read(path).cells[0].source
    file = f"notebooks/{path.name}"
    for address in (
        f"https://colab.research.google.com/github/{REPOSITORY}/blob/main/{file}",
        f"https://mybinder.org/v2/gh/{REPOSITORY}/main?urlpath=lab/tree/{file}",
        f"https://kaggle.com/kernels/welcome?src=https://github.com/{REPOSITORY}/blob/main/{file}",
    ):
        assert f"]({address})" in first


@each_notebook
def test_every_image_in_the_text_has_a_description(path):
    for description, _ in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", text(read(path))):
        assert description
    for image in re.findall(r"<img\b[^>]*>", text(read(path))):
        assert re.search(r'alt="[^"]+"', image), image


@each_notebook
def test_the_set_up_never_touches_jax(path):
    (cell,) = (cell for cell in read(path).cells if cell.id == "set-up")
    for line in cell.source.splitlines():
        if "pip" in line:
            assert not re.search(r"\b(jax|jaxlib|ipywidgets|ipython)\b", line.lower()), line
    assert "--no-deps" in cell.source
