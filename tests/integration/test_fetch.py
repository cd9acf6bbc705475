"""Files of datasets from a folder, from mirrors and sources that a real server serves, and from those that fail."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import http.server
import json
import multiprocessing
import os
import threading
import time
from dataclasses import replace

import pytest

from zbench.datasets import Card, cache_folder, fetch, locate
from zbench.datasets.fetch import checksum, write_whole
from zbench.errors import DataError

DATA = bytes(range(256)) * 2000
CARD = Card(
    name="cell-7",
    title="A cell",
    domain="cryoet",
    shape=(4, 6, 8),
    dtype="int16",
    axes="zyx",
    licence="CC0-1.0",
    citation="Somebody 2020",
    source="https://data.example.org/never/reached",
    voxel_digest="blake2b:" + "0" * 32,
    path="cryoet/cell.bin",
    sha256=hashlib.sha256(DATA).hexdigest(),
    bytes=len(DATA),
)


class Served(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; what lies below ``slow`` comes late, what lies below ``cut`` breaks off in its middle."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path.startswith("/slow/"):
            time.sleep(0.2)
        if not self.path.startswith("/cut/"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA[: len(DATA) // 2])
        self.close_connection = True


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A new cache, no mirror, and no proxy between the test and its own server."""
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("ZBENCH_DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def site(tmp_path):
    """A served folder: put files in ``site.folder``; ``site.address`` and what was asked for in ``site.asked``."""
    folder = tmp_path / "site"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Served, directory=folder)) as server:
        server.folder, server.asked = folder, []
        server.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def put(folder, data=DATA, *, path=CARD.path):
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def cached():
    """All files of the cache but stamps."""
    files = (path for path in cache_folder().rglob("*") if path.is_file())
    return [path.relative_to(cache_folder()).as_posix() for path in files if path.parent.name != "verified"]


def stamps():
    return list((cache_folder() / "verified").glob("*"))


# A mirror that is a folder


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(tmp_path / "mirror"))
    return put(tmp_path / "mirror")


def test_a_folder_is_read_in_place(mirror):
    assert fetch(CARD) == mirror
    assert cached() == []


def test_a_relative_folder_is_read_in_place(mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", "mirror")
    assert fetch(CARD).read_bytes() == DATA


def test_a_folder_comes_before_the_cache(mirror):
    put(cache_folder() / "files", b"older")
    assert fetch(CARD) == mirror


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DATA[:-1], id="cut"),
        pytest.param(DATA + b"\0", id="longer"),
        pytest.param(b"\1" + DATA[1:], id="one byte"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_file_with_a_wrong_checksum_is_named_and_kept(mirror, data):
    mirror.write_bytes(data)
    with pytest.raises(DataError, match=r"fixed bytes: '.*mirror/cryoet/cell\.bin' has SHA-256 .*'cell-7' says .*kept"):
        fetch(CARD)
    assert mirror.read_bytes() == data
    assert stamps() == []


def test_a_wrong_file_in_a_folder_is_not_passed_over_for_the_source(mirror, site):
    put(site.folder)
    mirror.write_bytes(b"other")
    with pytest.raises(DataError, match="fixed bytes"):
        fetch(replace(CARD, source=f"{site.address}/{CARD.path}", downloadable=True))
    assert site.asked == []


def test_a_file_is_hashed_once(mirror):
    fetch(CARD)
    told = mirror.stat()
    # Other bytes under the same size and time: only hashing again could tell.
    mirror.write_bytes(DATA[::-1])
    os.utime(mirror, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert fetch(CARD) == mirror


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: os.utime(path, ns=(1, 1)), id="touched"),
        pytest.param(lambda path: path.write_bytes(DATA[:-1]), id="cut"),
    ],
)
def test_a_file_that_changed_is_hashed_again(mirror, change):
    fetch(CARD)
    (stamp,) = stamps()
    before = json.loads(stamp.read_text())
    change(mirror)
    if mirror.stat().st_size == len(DATA):
        fetch(CARD)
        assert json.loads(stamp.read_text()) != before
    else:
        with pytest.raises(DataError, match="fixed bytes"):
            fetch(CARD)


def test_a_file_is_hashed_again_for_a_card_that_changed(mirror):
    fetch(CARD)
    with pytest.raises(DataError, match="fixed bytes"):
        fetch(replace(CARD, sha256="0" * 64))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"sha256": 1}', "\ufeff\0"])
def test_a_damaged_stamp_is_no_stamp(mirror, text):
    fetch(CARD)
    (stamp,) = stamps()
    stamp.write_text(text)
    told = mirror.stat()
    mirror.write_bytes(DATA[::-1])
    os.utime(mirror, ns=(told.st_atime_ns, told.st_mtime_ns))
    with pytest.raises(DataError, match="fixed bytes"):
        fetch(CARD)


def test_a_cache_that_cannot_be_written_costs_only_the_stamp(mirror, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "taken"))
    assert fetch(CARD) == mirror


def test_a_folder_without_the_file_leads_to_the_source(mirror, site):
    mirror.unlink()
    put(site.folder)
    found = fetch(replace(CARD, source=f"{site.address}/{CARD.path}", downloadable=True))
    assert found == cache_folder() / "files" / CARD.path


def test_a_folder_without_the_file_is_named_when_nothing_else_has_it(mirror):
    mirror.unlink()
    with pytest.raises(DataError, match=r"'.*/mirror' has no 'cryoet/cell\.bin'; it was packed from https://data\."):
        fetch(CARD)


# Mirrors and sources that are served


def test_the_source_is_downloaded_once(site):
    put(site.folder)
    card = replace(CARD, source=f"{site.address}/{CARD.path}", downloadable=True)
    for _ in range(2):
        assert fetch(card).read_bytes() == DATA
    assert site.asked == [f"/{CARD.path}"]
    assert cached() == [f"files/{CARD.path}"]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_served_mirror_is_tried_before_the_source(site, monkeypatch, end):
    put(site.folder / "mirror")
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", f"{site.address}/mirror{end}")
    assert fetch(replace(CARD, source=f"{site.address}/source", downloadable=True)).read_bytes() == DATA
    assert site.asked == [f"/mirror/{CARD.path}"]


def test_a_served_mirror_has_what_no_source_has_as_one_file(site, monkeypatch):
    put(site.folder)
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", site.address)
    assert fetch(CARD).read_bytes() == DATA


@pytest.mark.parametrize("data", [pytest.param(None, id="no file"), pytest.param(b"other", id="other file")])
def test_a_served_mirror_without_the_right_file_leads_to_the_source(site, monkeypatch, data):
    if data is not None:
        put(site.folder / "mirror", data)
    put(site.folder, path="source.bin")
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", f"{site.address}/mirror")
    assert fetch(replace(CARD, source=f"{site.address}/source.bin", downloadable=True)).read_bytes() == DATA
    assert site.asked == [f"/mirror/{CARD.path}", "/source.bin"]
    assert cached() == [f"files/{CARD.path}"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("wrong.bin", "hash of downloaded file", id="wrong checksum"),
        pytest.param("cut/cell.bin", "(?i)incomplete", id="connection cut in mid-file"),
        pytest.param("gone.bin", "404", id="no such file"),
    ],
)
def test_a_download_that_fails_is_told_and_leaves_the_cache_clean(site, source, reason):
    put(site.folder, DATA[:-1], path="wrong.bin")
    with pytest.raises(
        DataError, match=rf"'cell-7' must come whole.*{site.address}/{source} did not give it"
    ) as caught:
        fetch(replace(CARD, source=f"{site.address}/{source}", downloadable=True))
    assert caught.match(reason)
    assert caught.match("Check the network, or set ZBENCH_DATA_MIRROR")
    assert cached() == []


def test_a_download_that_failed_can_be_tried_again(site):
    card = replace(CARD, source=f"{site.address}/{CARD.path}", downloadable=True)
    with pytest.raises(DataError, match="404"):
        fetch(card)
    put(site.folder)
    assert fetch(card).read_bytes() == DATA


def test_a_server_that_is_not_there_is_told(site):
    site.shutdown()
    site.server_close()
    with pytest.raises(DataError, match=rf"{site.address}/x did not give it"):
        fetch(replace(CARD, source=f"{site.address}/x", downloadable=True))
    assert cached() == []


def test_an_address_of_an_unknown_kind_is_told(monkeypatch):
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", "gopher://127.0.0.1/data")
    with pytest.raises(DataError, match=r"gopher://127\.0\.0\.1/data/cryoet/cell\.bin did not give it"):
        fetch(CARD)


def test_all_places_that_failed_are_told(site, monkeypatch):
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", f"{site.address}/mirror")
    with pytest.raises(DataError, match=r"/mirror/cryoet/cell\.bin did not give it.*; .*/source did not give it"):
        fetch(replace(CARD, source=f"{site.address}/source", downloadable=True))


def test_without_a_mirror_a_packed_dataset_says_what_it_needs():
    with pytest.raises(DataError, match=r"packed from https://data\.example.*only a mirror.*set ZBENCH_DATA_MIRROR"):
        fetch(CARD)


def test_a_cache_that_cannot_be_written_is_told(site, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "taken"))
    put(site.folder)
    with pytest.raises(DataError, match="taken"):
        fetch(replace(CARD, source=f"{site.address}/{CARD.path}", downloadable=True))


# The cache


def test_the_cache_is_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_the_cache_is_the_users(monkeypatch, tmp_path, value):
    monkeypatch.delenv("ZBENCH_CACHE_DIR")
    if value is not None:
        monkeypatch.setenv("ZBENCH_CACHE_DIR", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / "zbench"


def test_a_cached_file_serves_without_any_mirror_or_network():
    place = put(cache_folder() / "files")
    assert fetch(CARD) == place


def test_a_cached_file_that_went_wrong_is_named_and_kept():
    place = put(cache_folder() / "files", b"rotten")
    with pytest.raises(DataError, match=r"fixed bytes: '.*files/cryoet/cell\.bin'.*replace or remove it"):
        fetch(CARD)
    assert place.read_bytes() == b"rotten"


def test_a_generated_dataset_is_not_fetched():
    card = replace(CARD, path="", sha256="", bytes=0, generator="phantom")
    with pytest.raises(DataError, match="'cell-7' is generated"):
        fetch(card)
    assert locate(card) is None


def test_a_file_is_located_without_being_verified(tmp_path, monkeypatch):
    assert locate(CARD) is None
    kept = put(cache_folder() / "files", b"anything")
    assert locate(CARD) == kept
    monkeypatch.setenv("ZBENCH_DATA_MIRROR", str(tmp_path / "mirror"))
    assert locate(CARD) == kept
    assert locate(CARD) != put(tmp_path / "mirror", b"else", path="other")
    assert put(tmp_path / "mirror", b"else") == locate(CARD)


def test_checksum_is_sha256(tmp_path):
    assert checksum(put(tmp_path)) == CARD.sha256


def fetch_bytes(card):
    return fetch(card).read_bytes()


def test_processes_that_fetch_at_once_get_one_good_file(site):
    put(site.folder / "slow")
    card = replace(CARD, source=f"{site.address}/slow/{CARD.path}", downloadable=True)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert set(pool.map(fetch_bytes, [card] * 4)) == {DATA}
    assert cached() == [f"files/{CARD.path}"]


def test_threads_that_fetch_at_once_get_one_good_file(site):
    put(site.folder / "slow")
    card = replace(CARD, source=f"{site.address}/slow/{CARD.path}", downloadable=True)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch_bytes, [card] * 16)) == {DATA}
    assert cached() == [f"files/{CARD.path}"]


def test_threads_that_write_a_file_at_once_do_not_meet(tmp_path):
    together = threading.Barrier(4)

    def write(file):
        together.wait(10)
        file.write(DATA)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write_whole, tmp_path / "a", write) for _ in range(4)]:
            done.result()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == {"a": DATA}


def test_a_file_whose_writing_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "a").write_text("old")

    def fail(file):
        file.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_whole(tmp_path / "a", fail)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir() if path.is_file()] == [("a", "old")]
