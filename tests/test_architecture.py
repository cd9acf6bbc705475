"""The house rules that no single module can keep: floors, lengths, public names, and what importing sets off."""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
FILES = sorted((REPOSITORY / "zbench").rglob("*.py"))
LONGEST = 400

# What asv's bare environments do not have.
HEAVY = {"asv", "asv_runner", "click", "matplotlib", "rich", "scipy", "tensorstore", "zarrs", "obstore", "s3fs"}
# Imported only when an engine is asked for by name, so each may import at its top what it drives.
CHOSEN_BY_NAME = {f"zbench.engines.{name}" for name in ("tensorstore", "zarr2", "zarr3", "zarr3_stores")}


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_public(path: Path) -> bool:
    return not any(part.startswith("_") and part != "__init__" for part in module_name(path).split("."))


def floors() -> list[set[str]]:
    """Top-level modules of each floor, highest first, as pyproject.toml gives them to import-linter."""
    contract = next(c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [{name.strip() for name in re.split(r"[|:]", layer)} for layer in contract["layers"]]


def lower_modules() -> list[str]:
    """Modules of F0-F4: all that stand below the runner."""
    below = set().union(*itertools.dropwhile(lambda floor: "runner" not in floor, floors())) - {"runner", "report"}
    names = [module_name(path) for path in FILES]
    return [name for name in names if name != "zbench" and name.split(".")[1] in below]


def imported(path: Path) -> set[str]:
    """Every name that a file imports anywhere, functions included, as written."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_module_is_longer_than_one_sitting():
    files = [*FILES, *(REPOSITORY / "benchmarks").rglob("*.py")]
    lengths = {module_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def own_public_names(tree: ast.Module) -> set[str]:
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    defined = {node.name for node in tree.body if isinstance(node, definitions)}
    for node in tree.body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in defined if not name.startswith("_")}


def all_order(name: str) -> tuple[int, str]:
    """Constants, classes, functions, each by alphabet: the order of ruff's RUF022."""
    kind = 0 if name.isupper() else 1 if name[:1].isupper() else 2
    return (kind, name)


@pytest.mark.parametrize("path", [pytest.param(p, id=module_name(p)) for p in FILES if is_public(p)])
def test_public_names_are_listed_sorted_and_there(path):
    name = module_name(path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert own_public_names(tree) == set(), "a module with public names lists them in __all__"
        return
    assert listed == sorted(set(listed), key=all_order)
    assert [missing for missing in listed if not hasattr(module, missing)] == []
    if path.name != "__init__.py":
        assert set(listed) - {"__version__"} <= own_public_names(tree), "a name is listed where it is defined"


# What a new interpreter did while it imported: nothing of it may reach beyond the process.
WATCH = """
import json, os, sys, threading

seen = []
BEYOND = {"os.fork", "os.mkdir", "os.posix_spawn", "os.remove", "os.rename", "subprocess.Popen"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watch(event, args):
    if event == "open":
        path, mode, flags = args
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITES):
            seen.append(f"opens {path!r} for writing")
    elif event.startswith("socket.") or event in BEYOND:
        seen.append(f"{event} {args!r}")


sys.addaudithook(watch)
# Called once by each new thread; Python 3.11 has no audit event for them.
threading.setprofile(lambda *_: (sys.setprofile(None), seen.append("starts a thread")))
for name in sys.argv[1:]:
    __import__(name)
print(json.dumps({"seen": seen, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def watch_imports(*names: str, folder: Path = REPOSITORY) -> tuple[list[str], set[str]]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, *names], cwd=folder, check=True, capture_output=True, text=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return told["seen"], set(told["modules"])


def test_importing_zbench_loads_nothing_else():
    seen, modules = watch_imports("zbench")
    _, without = watch_imports()
    assert seen == []
    assert modules - without <= {"zbench"} | set(sys.stdlib_module_names)


def test_importing_the_lower_floors_sets_nothing_off_and_loads_nothing_heavy():
    names = [name for name in lower_modules() if name not in CHOSEN_BY_NAME]
    assert {"zbench.errors", "zbench.model", "zbench.cell"} <= set(names), "the floors were not found"
    seen, modules = watch_imports(*names)
    assert seen == []
    assert modules & HEAVY == set()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        pytest.param("import socket; socket.socket()", "socket.__new__", id="socket"),
        pytest.param("import os; open(os.devnull, 'w')", "for writing", id="file"),
        pytest.param("import threading as t; t.Thread(target=int).start()", "starts a thread", id="thread"),
        pytest.param("import subprocess; subprocess.run(['true'])", "subprocess.Popen", id="process"),
    ],
)
def test_what_an_import_sets_off_is_seen(tmp_path, code, says):
    (tmp_path / "planted.py").write_text(code, encoding="utf-8")
    seen, _ = watch_imports("planted", folder=tmp_path)
    assert any(says in event for event in seen)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    assert program.exists(), "import-linter is part of the test group: make test installs it"
    # Without colour and width from the terminal; the first folder on the path is the one that is linted.
    env = {"PATH": "", "PYTHONPATH": str(folder), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run([program, "--no-cache"], cwd=folder, env=env, check=False, capture_output=True, text=True)


def test_floors_are_kept():
    done = lint_imports(REPOSITORY)
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout)


FLOORS = "Floors import downwards only"
PURE = "The pure floors do no input or output"
BARE = "What asv installs imports with numpy, zarr, numcodecs and pooch alone"


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        pytest.param("model/layout", "import zbench.stats", FLOORS, id="model-stats"),
        pytest.param("units", "import zbench.model", FLOORS, id="units-model"),
        pytest.param("patterns/places", "import zbench.codecs", FLOORS, id="strangers-of-f3"),
        pytest.param("stores/planted", "import zbench.engines", FLOORS, id="strangers-of-f4"),
        pytest.param("runner/session", "import zbench.cli", FLOORS, id="runner-cli"),
        pytest.param("report/summary", "import zbench.runner", FLOORS, id="report-runner"),
        pytest.param("harness/summary", "def late():\n    import zbench.cli", FLOORS, id="late-harness-cli"),
        pytest.param("stats/intervals", "import os", PURE, id="stats-os"),
        pytest.param("codecs/chain", "def late():\n    import numcodecs", PURE, id="late-codecs-numcodecs"),
        pytest.param("patterns/arithmetic", "from pathlib import Path", PURE, id="patterns-pathlib"),
        pytest.param("grid", "import click", BARE, id="grid-click"),
        pytest.param("results/planted", "def late():\n    import scipy.stats", BARE, id="late-results-scipy"),
    ],
)
def test_a_planted_import_is_reported(tmp_path, module, line, broken):
    plant(tmp_path, module, line)
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout
    assert re.search(rf"^{re.escape(broken)} BROKEN", done.stdout, re.MULTILINE), done.stdout
    assert re.search(rf"-\s+zbench\.{module.replace('/', '.')} -> ", done.stdout), done.stdout


def test_a_module_that_belongs_to_no_floor_is_reported(tmp_path):
    plant(tmp_path, "helpers", "")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "zbench.helpers" in done.stdout


def plant(folder: Path, module: str, line: str) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    shutil.copytree(
        REPOSITORY / "zbench", folder / "zbench", ignore=shutil.ignore_patterns("__pycache__", "assets"), symlinks=True
    )
    file = folder / "zbench" / f"{module}.py"
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as text:
        text.write(f"\n\n{line}\n")


def test_benchmarks_stand_on_the_lower_floors_alone():
    allowed = set(lower_modules()) | {"zbench"}
    for path in (REPOSITORY / "benchmarks").rglob("*.py"):
        ours = {name for name in imported(path) if name.partition(".")[0] == "zbench"}
        strange = {name for name in ours if name not in allowed and name.rpartition(".")[0] not in allowed - {"zbench"}}
        assert strange == set(), path


def test_zbench_knows_neither_its_benchmarks_nor_its_tests():
    for path in FILES:
        roots = {name.partition(".")[0] for name in imported(path)}
        assert roots & {"benchmarks", "tests"} == set(), path


def test_only_the_command_line_prints():
    for path in FILES:
        if module_name(path).startswith("zbench.cli"):
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"] == [], path


def test_the_version_is_said_in_one_place():
    assert "version" in PYPROJECT["project"]["dynamic"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "zbench/__init__.py"
    said = re.compile(r"^\s*(__version__|version)\s*[:=]\s*[\"']?\d+\.\d+", re.MULTILINE)
    candidates = [*FILES, *(REPOSITORY / name for name in ("CITATION.cff", "pyproject.toml"))]
    assert [path.name for path in candidates if said.search(path.read_text(encoding="utf-8"))] == ["__init__.py"]


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Files that are, or would be, committed."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git checkout, so there is no tree to look at")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    paths = [REPOSITORY / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


# Written so that the patterns do not match themselves.
REGISTRY_ADDRESS = re.compile(
    rb"--(extra-)?index[-]url|^\s*(extra-)?index[-]url\s*=|--find[-]links|_auth[T]oken|https?://[^\s\"']*/simple/?[\s\"']"
    rb"|registry[.]npmjs|pypi[.]org/simple|files[.]pythonhosted",
    re.MULTILINE,
)


def test_no_file_names_the_address_of_a_package_registry(tracked):
    """Whoever installs has a registry of their own set up; an address in the tree would override it."""
    assert [path for path in tracked if REGISTRY_ADDRESS.search(path.read_bytes())] == []
    assert {path.name for path in tracked} & {".npmrc", "pip.conf", ".pypirc", "uv.toml"} == set()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"--extra-index" + b"-url https://host/root/", id="option"),
        pytest.param(b"index" + b"-url = https://host/root/", id="setting"),
        pytest.param(b'url = "https://host/root/simp' + b'le/"', id="address"),
    ],
)
def test_the_address_of_a_package_registry_is_seen(line):
    assert REGISTRY_ADDRESS.search(line)


def test_constraints_are_exact():
    files = sorted((REPOSITORY / "requirements").glob("constraints-*.txt"))
    supported = {c.rpartition(" ")[2] for c in PYPROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", c)}
    assert {f"constraints-py{version.replace('.', '')}.txt" for version in supported} == {file.name for file in files}
    for file in files:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
        assert [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[\w.!+]+( ; .+)?", line)] == []


def test_the_root_can_be_taken_in_at_a_glance(tracked):
    entries = {path.relative_to(REPOSITORY).parts[0] for path in tracked}
    assert len({name for name in entries if not name.startswith(".")}) <= 20
