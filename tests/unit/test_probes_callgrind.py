"""Counting instructions: what valgrind is asked and what is read of it, with a stand-in that writes what it would."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import pytest

from zbench.errors import RefusedError, ResultsError
from zbench.probes import Instructions, Region, count_instructions
from zbench.probes.callgrind import _library

DUMP = "desc: Trigger: Client Request: zbench region\nevents: Ir\nsummary: 999\n\ntotals: {0}\n"
AT_EXIT = "desc: Trigger: Program termination\nevents: Ir\ntotals: 5\n"
# Takes the place of the dumps from its options as valgrind does, then does what the test asks for.
VALGRIND = """#!{shell}
if [ "$1" = --version ]; then echo valgrind-9.9; exit; fi
for option in "$@"; do case "$option" in --callgrind-out-file=*) out="${{option#*=}}";; esac; done
echo "$@" > '{folder}/command'
printenv PYTHONHASHSEED BLOSC_NTHREADS MINE > '{folder}/variables'
pwd > '{folder}/place'
{body}
"""
COMPILER = """#!{shell}
while [ "$1" != -o ]; do shift; done
echo compiled >> '{folder}/compiled'
{body}
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Make a valgrind and a gcc of what they do, the only programs on the path."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    tools = {name: shutil.which(name, path="/bin:/usr/bin") for name in ("cat", "cp", "printenv", "sh", "sleep")}

    def make(*, valgrind="", dumps=(), compiler='echo library > "$2"'):
        for name, place in tools.items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(place)
        writing = "\n".join(f"printf '%s' '{text}' > \"$out.{number}\"" for number, text in enumerate(dumps, 1))
        for name, text, body in (("valgrind", VALGRIND, f"{writing}\n{valgrind}"), ("gcc", COMPILER, compiler)):
            program = folder / name
            program.write_text(text.format(shell=tools["sh"], folder=tmp_path, body=body))
            program.chmod(0o755)
        return folder

    return make


def count(tmp_path, **more):
    return count_instructions(["program.py", "--option"], cache=tmp_path / "cache", **more)


def test_the_total_of_the_region_is_read(programs, tmp_path):
    programs(dumps=[DUMP.format(60_936_303), AT_EXIT])
    assert count(tmp_path) == Instructions(instructions=60_936_303, valgrind="valgrind-9.9")


def test_the_program_runs_under_callgrind_with_the_library_as_its_last_argument(programs, tmp_path):
    programs(dumps=[DUMP.format(1)])
    count(tmp_path, python=Path("/some/python"))
    words = (tmp_path / "command").read_text().split()
    assert {"--tool=callgrind", "--instr-atstart=no"} <= set(words)
    assert words[-4:-1] == ["/some/python", "program.py", "--option"]
    assert Path(words[-1]).read_text() == "library\n"


def test_the_program_has_one_thread_and_one_order_of_everything(programs, tmp_path):
    programs(dumps=[DUMP.format(1)])
    count(tmp_path, settings={"MINE": "7"})
    assert (tmp_path / "variables").read_text().split() == ["0", "1", "7"]


def test_the_program_does_not_run_in_the_working_folder(programs, tmp_path):
    programs(dumps=[DUMP.format(1)])
    count(tmp_path)
    assert (tmp_path / "place").read_text().strip() != str(Path.cwd())


def test_the_library_is_compiled_once(programs, tmp_path):
    programs(dumps=[DUMP.format(1)])
    count(tmp_path)
    count(tmp_path)
    assert (tmp_path / "compiled").read_text().split() == ["compiled"]
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".so"]


def test_a_compiled_library_needs_no_compiler(programs, tmp_path):
    folder = programs(dumps=[DUMP.format(1)])
    count(tmp_path)
    (folder / "gcc").unlink()
    assert count(tmp_path).instructions == 1


@pytest.mark.parametrize("missing", ["valgrind", "gcc"])
def test_a_program_that_is_missing_is_refused_by_name(programs, tmp_path, missing):
    folder = programs(dumps=[DUMP.format(1)])
    (folder / missing).unlink()
    with pytest.raises(RefusedError, match=f"needs {missing}: .* Install the package {missing}"):
        count(tmp_path)


def test_a_header_that_is_missing_is_refused_with_the_words_of_the_compiler(programs, tmp_path):
    programs(dumps=[DUMP.format(1)], compiler="echo 'valgrind/callgrind.h: No such file' >&2; exit 1")
    with pytest.raises(RefusedError, match=r"callgrind\.h: No such file.*Install valgrind with its headers"):
        count(tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("dumps", "regions"),
    [pytest.param([AT_EXIT], 0, id="none"), pytest.param([DUMP.format(1), DUMP.format(2)], 2, id="two")],
)
def test_a_program_has_one_region(programs, tmp_path, dumps, regions):
    programs(dumps=dumps)
    with pytest.raises(ResultsError, match=f"one region: it had {regions}"):
        count(tmp_path)


def test_a_program_that_fails_is_told_with_its_last_words(programs, tmp_path):
    programs(valgrind="echo '==1== Callgrind' >&2; echo 'ValueError: no such cell' >&2; exit 3")
    with pytest.raises(ResultsError, match=r"ended with 3\. It said: ValueError: no such cell"):
        count(tmp_path)


def test_an_instruction_that_valgrind_does_not_know_is_refused(programs, tmp_path):
    programs(valgrind="kill -ILL $$")
    with pytest.raises(RefusedError, match="signal 4"):
        count(tmp_path)


def test_a_program_that_takes_too_long_is_ended(programs, tmp_path):
    programs(valgrind="exec sleep 30")
    with pytest.raises(ResultsError, match="ends within 1 s"):
        count(tmp_path, timeout_s=1.0)


class Calls:
    """The functions of the library, and the order in which they were called."""

    def __init__(self):
        self.seen = []
        self.collecting = []

    def zbench_region_begin(self):
        self.seen.append("begin")

    def zbench_region_end(self):
        self.seen.append("end")

    def note(self, what):
        self.seen.append(what)
        self.collecting.append(gc.isenabled())


@pytest.fixture
def calls(monkeypatch):
    found = Calls()
    monkeypatch.setattr("ctypes.CDLL", lambda _: found)
    return found


def test_a_region_is_one_execution_after_two_without_the_garbage_collector(calls):
    Region(Path("library")).count(lambda: calls.note("prepare"), lambda _: calls.note("execute"))
    warm_up = ["prepare", "execute"]
    assert calls.seen == [*warm_up, *warm_up, "prepare", "begin", "execute", "end"]
    assert calls.collecting == [True] * 5 + [False]
    assert gc.isenabled()


def test_what_is_prepared_is_what_is_executed(calls):
    made, used = iter(range(9)), []
    Region(Path("library")).count(lambda: next(made), used.append)
    assert used == [0, 1, 2]


def test_an_error_in_the_region_leaves_the_garbage_collector_on(calls):
    with pytest.raises(ZeroDivisionError):
        Region(Path("library")).count(lambda: 0, lambda number: 1 // number)
    assert gc.isenabled()


def test_the_shipped_source_compiles_and_runs_outside_valgrind_too(tmp_path):
    if not (shutil.which("gcc") and Path("/usr/include/valgrind/callgrind.h").is_file()):
        pytest.skip("gcc and the headers of valgrind are not installed.")
    used = []
    Region(_library(tmp_path, "any")).count(lambda: 1, used.append)
    assert used == [1, 1, 1]
