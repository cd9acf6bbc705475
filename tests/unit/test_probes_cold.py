"""A store leaves the page cache, and the proof says so only when it is true."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import pytest

from zbench.environment import filesystem_of
from zbench.errors import RefusedError
from zbench.model import StoreKind, StoreSpec
from zbench.probes import Chilled, ColdMethod, Residency, chill, residency

# Of these nothing can leave the memory: they are nowhere else.
_IN_MEMORY = ("tmpfs", "ramfs")
PAGES = 40


def store_at(folder):
    return StoreSpec(kind=StoreKind.LOCAL, location=str(folder))


def fill(folder):
    """Write files of 40 pages together, and one of none."""
    (folder / "c" / "0").mkdir(parents=True)
    (folder / "zarr.json").write_bytes(b"x" * 100)
    (folder / "c" / "0" / "0").write_bytes(b"x" * (38 * mmap.PAGESIZE + 1))
    (folder / "c" / "0" / "1").write_bytes(b"")
    return store_at(folder)


@pytest.fixture
def store(tmp_path):
    if filesystem_of(tmp_path) in _IN_MEMORY:
        pytest.skip(f"{tmp_path} lies in memory; set --basetemp to a folder on a disk.")
    return fill(tmp_path / "store")


@pytest.fixture
def syncs(monkeypatch):
    """Count what would wait for all disks of the machine."""
    called = []
    monkeypatch.setattr(os, "sync", lambda: called.append("sync"))
    return called


def test_what_was_written_is_resident(store):
    assert residency(store) == Residency(files=2, pages=PAGES, resident_pages=PAGES)


def test_fadvise_takes_a_store_out(store):
    found = chill(store, method=ColdMethod.FADVISE)
    assert (found.residency.files, found.residency.pages, found.residency.resident_pages) == (2, PAGES, 0)
    assert found.is_cold
    assert found.method is ColdMethod.FADVISE


def test_what_is_read_again_is_resident_again(store):
    chill(store, method=ColdMethod.FADVISE)
    Path(store.location, "c", "0", "0").read_bytes()
    assert residency(store).resident_pages == PAGES - 1


def test_looking_does_not_bring_a_store_back(store):
    chill(store, method=ColdMethod.FADVISE)
    assert residency(store) == residency(store) == Residency(files=2, pages=PAGES, resident_pages=0)


def test_drop_syncs_and_throws_the_switch(store, tmp_path, syncs):
    switch = tmp_path / "drop_caches"
    switch.touch()
    found = chill(store, method=ColdMethod.DROP, drop_caches=switch)
    assert switch.read_text() == "3"
    assert syncs == ["sync"]
    assert found.method is ColdMethod.DROP


def test_a_switch_without_effect_is_found_out(store, tmp_path, syncs):
    found = chill(store, method=ColdMethod.DROP, drop_caches=tmp_path / "drop_caches")
    assert found.residency.share == 1.0
    assert not found.is_cold


def test_a_switch_that_cannot_be_thrown_is_refused(store, tmp_path, syncs):
    (tmp_path / "drop_caches").mkdir()
    with pytest.raises(RefusedError, match="needs root"):
        chill(store, method=ColdMethod.DROP, drop_caches=tmp_path / "drop_caches")


@pytest.mark.parametrize(
    ("is_there", "method"),
    [pytest.param(True, ColdMethod.DROP, id="permitted"), pytest.param(False, ColdMethod.FADVISE, id="not-permitted")],
)
def test_the_best_method_that_is_permitted_is_taken(store, tmp_path, syncs, is_there, method):
    switch = tmp_path / "drop_caches"
    if is_there:
        switch.touch()
    assert chill(store, drop_caches=switch).method is method


def test_every_method_has_a_sentence_of_its_own():
    sentences = {method: method.sentence for method in ColdMethod}
    assert "dropped" in sentences[ColdMethod.DROP]
    assert "posix_fadvise" in sentences[ColdMethod.FADVISE]


@pytest.mark.parametrize(
    ("resident", "is_cold"),
    [
        pytest.param(0, True, id="none"),
        pytest.param(1, True, id="a-hundredth"),
        pytest.param(2, False, id="more"),
    ],
)
def test_cold_is_at_most_a_hundredth(resident, is_cold):
    left = Residency(files=1, pages=100, resident_pages=resident)
    assert Chilled(method=ColdMethod.FADVISE, residency=left).is_cold is is_cold


def test_a_store_without_bytes_is_cold(tmp_path):
    (tmp_path / "empty").mkdir()
    found = chill(store_at(tmp_path / "empty"), method=ColdMethod.FADVISE)
    assert found.residency == Residency(files=0, pages=0, resident_pages=0)
    assert found.is_cold


def test_a_store_in_memory_never_is_cold():
    place = Path("/dev/shm")
    if not os.access(place, os.W_OK) or filesystem_of(place) not in _IN_MEMORY:
        pytest.skip(f"{place} is no file system in memory that can be written to.")
    folder = place / f"zbench-test-{os.getpid()}"
    try:
        assert not chill(fill(folder), method=ColdMethod.FADVISE).is_cold
    finally:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.rmdir()


@pytest.mark.parametrize("kind", [StoreKind.MEMORY, StoreKind.S3])
@pytest.mark.parametrize("ask", [pytest.param(chill, id="chill"), pytest.param(residency, id="residency")])
def test_only_files_leave_the_page_cache(kind, ask):
    with pytest.raises(RefusedError, match=f"got a {kind} store"):
        ask(StoreSpec(kind=kind, location="place"))


def test_a_file_that_cannot_be_taken_out_is_refused(store, monkeypatch):
    def fail(*_):
        raise OSError(22, "no")

    monkeypatch.setattr(os, "posix_fadvise", fail)
    with pytest.raises(RefusedError, match="must be readable to leave the page cache"):
        chill(store, method=ColdMethod.FADVISE)


def test_a_system_without_fadvise_is_refused(store, monkeypatch):
    monkeypatch.delattr(os, "posix_fadvise")
    with pytest.raises(RefusedError, match="needs posix_fadvise"):
        chill(store, method=ColdMethod.FADVISE)


class Library:
    """A C library whose mincore fails, or that has none."""

    def __init__(self, *, has_mincore):
        if has_mincore:
            self.mincore = lambda *_: -1


@pytest.mark.parametrize(
    ("has_mincore", "says"),
    [pytest.param(True, "mincore tells .* failed on", id="fails"), pytest.param(False, "needs mincore", id="none")],
)
def test_without_proof_nothing_is_cold(store, monkeypatch, has_mincore, says):
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library(has_mincore=has_mincore))
    with pytest.raises(RefusedError, match=says):
        chill(store, method=ColdMethod.FADVISE)
