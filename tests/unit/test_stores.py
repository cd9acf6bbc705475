"""What lies in a store, what is asked of it, and the S3 service that takes it down."""

from __future__ import annotations

import http.client
import re
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from zbench.errors import RefusedError, ResultsError
from zbench.model import Request, StoreKind, StoreSpec
from zbench.stores import S3Server, TraceLog, inventory, trace


def local(path):
    return StoreSpec(kind=StoreKind.LOCAL, location=str(path))


def test_inventory_counts_files_in_all_folders_and_their_bytes(tmp_path):
    (tmp_path / "c" / "0").mkdir(parents=True)
    (tmp_path / "zarr.json").write_bytes(b"{}")
    (tmp_path / "c" / "0" / "0").write_bytes(b"12345")
    (tmp_path / "c" / "0" / "empty").write_bytes(b"")
    kept = inventory(local(tmp_path))
    assert (kept.objects, kept.stored_bytes) == (3, 7)


def test_inventory_of_a_store_that_is_not_there_is_nothing(tmp_path):
    kept = inventory(local(tmp_path / "none"))
    assert (kept.objects, kept.stored_bytes) == (0, 0)


@pytest.mark.parametrize("kind", [StoreKind.MEMORY, StoreKind.S3])
def test_inventory_of_another_store_is_refused(kind):
    with pytest.raises(RefusedError, match=f"Only the objects of a local store .* got a {kind} store. Use a local"):
        inventory(StoreSpec(kind=kind, location="place"))


def test_log_hands_requests_out_in_the_order_of_their_begin():
    log = TraceLog()
    now = time.perf_counter_ns()
    # The second one ended first.
    log(Request(operation="get", key="short", offset_ns=now + 500))
    log(Request(operation="get", key="long", offset_ns=now + 200))
    requests = log.trace().requests
    assert [request.key for request in requests] == ["long", "short"]
    assert requests[1].offset_ns - requests[0].offset_ns == 300


def test_log_offsets_begin_when_the_log_was_made():
    before = time.perf_counter_ns()
    log = TraceLog()
    made = time.perf_counter_ns()
    log.add(Request(operation="put", key="a"), made + 1000)
    assert 1000 <= log.trace().requests[0].offset_ns <= 1000 + made - before
    assert 0 <= log.now_ns() <= time.perf_counter_ns() - before


def test_log_keeps_what_a_request_says():
    log = TraceLog()
    request = Request(operation="get", key="a/b", start=-4, length=4, size_bytes=4, found=True)
    log.add(request, 0)
    kept = log.trace().requests[0]
    assert (kept.operation, kept.key, kept.start, kept.length, kept.size_bytes) == ("get", "a/b", -4, 4, 4)


def test_log_loses_none_from_many_threads():
    log = TraceLog()

    def tell(name):
        for number in range(200):
            log(Request(operation="get", key=f"{name}/{number}", offset_ns=time.perf_counter_ns()))

    threads = [threading.Thread(target=tell, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    requests = log.trace().requests
    assert len({request.key for request in requests}) == len(requests) == 1600


def test_an_observer_comes_with_the_same_place():
    store = StoreSpec(kind=StoreKind.MEMORY, location="place")
    with trace("observer", store) as (seen, log):
        assert (seen.kind, seen.location, seen.observer) == (StoreKind.MEMORY, "place", log)
        seen.observer(Request(operation="get", key="a", offset_ns=time.perf_counter_ns()))
    assert [request.key for request in log.trace().requests] == ["a"]


def test_a_tracing_server_serves_the_folder_and_tells_when_it_has_ended(tmp_path):
    (tmp_path / "array.zarr").mkdir()
    (tmp_path / "array.zarr" / "zarr.json").write_bytes(b"{}")
    with trace("server", local(tmp_path / "array.zarr")) as (seen, log):
        assert seen == StoreSpec(kind=StoreKind.S3, location="zbench/array.zarr", endpoint=seen.endpoint)
        begin = log.now_ns()
        assert ask(seen.endpoint, "GET", "/zbench/array.zarr/zarr.json")[2] == b"{}"
        end = log.now_ns()
    (request,) = log.trace().requests
    assert (request.operation, request.key, request.size_bytes) == ("get", "zarr.json", 2)
    # The clock of the other process is the same.
    assert begin < request.offset_ns < end


def test_a_tracing_server_for_another_store_is_refused():
    store = StoreSpec(kind=StoreKind.MEMORY, location="place")
    with pytest.raises(RefusedError, match=r"got a memory store\. Trace a local one"), trace("server", store):
        pass


def ask(endpoint, method, path, body=None, headers=None, **options):
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {}, **options)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bucket")
    with S3Server(folder) as server:
        yield folder, server


@pytest.fixture
def ten(bucket):
    """An object of ten bytes: where it is, and how to ask for it."""
    folder, server = bucket
    (folder / "array").mkdir(exist_ok=True)
    (folder / "array" / "ten").write_bytes(b"0123456789")
    return lambda method="GET", **more: ask(server.endpoint, method, "/zbench/array/ten", **more)


def test_server_gives_an_object(ten):
    status, headers, body = ten()
    assert (status, body, headers["Content-Length"], headers["Accept-Ranges"]) == (
        200,
        b"0123456789",
        "10",
        "bytes",
    )


@pytest.mark.parametrize(
    ("asked", "expected", "content_range"),
    [
        pytest.param("bytes=2-5", b"2345", "bytes 2-5/10", id="closed"),
        pytest.param("bytes=0-0", b"0", "bytes 0-0/10", id="first byte"),
        pytest.param("bytes=7-", b"789", "bytes 7-9/10", id="to the end"),
        pytest.param("bytes=8-99", b"89", "bytes 8-9/10", id="beyond the end"),
        pytest.param("bytes=-3", b"789", "bytes 7-9/10", id="from the end"),
        pytest.param("bytes=-99", b"0123456789", "bytes 0-9/10", id="more than there is, from the end"),
    ],
)
def test_server_gives_ranges(ten, asked, expected, content_range):
    status, headers, body = ten(headers={"Range": asked})
    assert (status, body, headers["Content-Range"]) == (206, expected, content_range)


def test_server_refuses_a_range_behind_the_end(ten):
    status, _, body = ten(headers={"Range": "bytes=10-12"})
    assert status == 416
    assert b"InvalidRange" in body


def test_server_says_that_an_object_is_not_there(bucket):
    status, _, body = ask(bucket[1].endpoint, "GET", "/zbench/array/none")
    assert status == 404
    assert b"<Code>NoSuchKey</Code>" in body
    assert ask(bucket[1].endpoint, "HEAD", "/zbench/array/none")[0] == 404


def test_server_tells_the_size_of_an_object(ten):
    status, headers, body = ten("HEAD")
    assert (status, headers["Content-Length"], body) == (200, "10", b"")


def test_server_keeps_an_object(bucket):
    folder, server = bucket
    assert ask(server.endpoint, "PUT", "/zbench/new/a%20b/c", body=b"data")[0] == 200
    assert (folder / "new" / "a b" / "c").read_bytes() == b"data"
    assert ask(server.endpoint, "GET", "/zbench/new/a%20b/c")[2] == b"data"


def test_server_keeps_an_object_that_comes_in_pieces(bucket):
    folder, server = bucket
    pieces = iter([b"some ", b"data"])
    assert ask(server.endpoint, "PUT", "/zbench/new/pieces", body=pieces, encode_chunked=True)[0] == 200
    assert (folder / "new" / "pieces").read_bytes() == b"some data"


def test_server_keeps_an_object_whose_pieces_are_signed(bucket):
    folder, server = bucket
    body = b"5;chunk-signature=ab\r\nsome \r\n4;chunk-signature=cd\r\ndata\r\n0;chunk-signature=ef\r\n\r\n"
    headers = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    assert ask(server.endpoint, "PUT", "/zbench/new/signed", body=body, headers=headers)[0] == 200
    assert (folder / "new" / "signed").read_bytes() == b"some data"


def test_server_keeps_an_object_that_must_be_new_once(bucket):
    folder, server = bucket
    only_new = {"If-None-Match": "*"}
    (folder / "new").mkdir(exist_ok=True)
    (folder / "new" / "once").unlink(missing_ok=True)
    assert ask(server.endpoint, "PUT", "/zbench/new/once", body=b"one", headers=only_new)[0] == 200
    assert ask(server.endpoint, "PUT", "/zbench/new/once", body=b"two", headers=only_new)[0] == 412
    assert (folder / "new" / "once").read_bytes() == b"one"


def test_server_gives_a_changed_object_another_tag(bucket, ten):
    before = ten("HEAD")[1]["ETag"]
    assert ten("HEAD")[1]["ETag"] == before
    ten("PUT", body=b"012345678")
    assert ten("HEAD")[1]["ETag"] != before


def test_server_removes_an_object_and_says_so_of_one_that_is_gone(bucket, ten):
    assert ten("DELETE")[0] == 204
    assert not (bucket[0] / "array" / "ten").exists()
    assert ten("DELETE")[0] == 204


def test_server_lists_objects_below_a_prefix(bucket):
    folder, server = bucket
    (folder / "list" / "c" / "0").mkdir(parents=True, exist_ok=True)
    for name in ("zarr.json", "c/0/0", "c/0/1"):
        (folder / "list" / name).write_bytes(b"&" * 3)
    body = ask(server.endpoint, "GET", "/zbench?list-type=2&prefix=list/")[2].decode()
    assert re.findall("<Key>(.*?)</Key><Size>3</Size>", body) == ["list/c/0/0", "list/c/0/1", "list/zarr.json"]
    body = ask(server.endpoint, "GET", "/zbench/?list-type=2&prefix=list/&delimiter=/")[2].decode()
    assert re.findall("<Key>(.*?)</Key>", body) == ["list/zarr.json"]
    assert re.findall("<CommonPrefixes><Prefix>(.*?)</Prefix>", body) == ["list/c/"]


@pytest.mark.parametrize("path", ["/zbench/../secret", "/zbench/a/../../secret", "/zbench/%2e%2e/secret", "/secret"])
def test_server_shows_and_writes_nothing_outside_its_folder(tmp_path, path):
    (tmp_path / "bucket").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    with S3Server(tmp_path / "bucket") as server:
        assert ask(server.endpoint, "GET", path)[0] == 404
        assert ask(server.endpoint, "PUT", path, body=b"changed")[0] == 400
        assert ask(server.endpoint, "DELETE", path)[0] == 204
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_server_takes_down_every_request_with_what_went_over(tmp_path):
    (tmp_path / "array").mkdir()
    with S3Server(tmp_path) as server:
        key = "/zbench/array/c/0"
        ask(server.endpoint, "PUT", key, body=b"0123456789")
        ask(server.endpoint, "HEAD", key)
        ask(server.endpoint, "GET", key)
        for asked in ("bytes=2-5", "bytes=8-99", "bytes=7-", "bytes=-3", "bytes=-99", "bytes=10-12"):
            ask(server.endpoint, "GET", key, headers={"Range": asked})
        ask(server.endpoint, "GET", "/zbench/array/none", headers={"Range": "bytes=-3"})
        ask(server.endpoint, "GET", "/zbench?list-type=2&prefix=array/c/")
        ask(server.endpoint, "DELETE", key)
        ask(server.endpoint, "DELETE", key)
        assert server.requests == []
    times = [at_ns for at_ns, _ in server.requests]
    assert times == sorted(times)
    there = {"key": "c/0"}
    assert [request for _, request in server.requests] == [
        Request(operation="put", size_bytes=10, **there),
        Request(operation="head", **there),
        Request(operation="get", size_bytes=10, **there),
        Request(operation="get", start=2, length=4, size_bytes=4, **there),
        Request(operation="get", start=8, length=92, size_bytes=2, **there),
        Request(operation="get", start=7, size_bytes=3, **there),
        Request(operation="get", start=-3, length=3, size_bytes=3, **there),
        Request(operation="get", start=-10, length=99, size_bytes=10, **there),
        Request(operation="get", start=10, length=3, **there),
        Request(operation="get", key="none", start=-3, length=3, found=False),
        Request(operation="list", key="c/"),
        Request(operation="delete", **there),
        Request(operation="delete", found=False, **there),
    ]


def test_server_is_heard_on_this_machine_alone(bucket):
    assert urlsplit(bucket[1].endpoint).hostname == "127.0.0.1"


def test_server_answers_many_at_once(bucket, ten):
    ten("PUT", body=b"0123456789")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ten()[2])) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b"0123456789"] * 40


def test_server_ends_with_its_context_also_after_an_error(tmp_path):
    server = S3Server(tmp_path)
    with pytest.raises(KeyError, match="of the caller"), server:
        raise KeyError("of the caller")  # noqa: EM101 - stands for anything
    assert server._process.returncode == 0
    with pytest.raises(OSError, match="refused"):
        ask(server.endpoint, "GET", "/zbench/a")


def test_server_that_does_not_start_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ResultsError, match="ended with status 1 and no port"), S3Server(tmp_path):
        pass


def test_server_needs_nothing_but_the_standard_library():
    text = Path(sys.modules["zbench.stores.s3_server"].__file__).read_text(encoding="utf-8")
    names = set(re.findall(r"^(?:from|import) (\w+)", text, flags=re.MULTILINE)) - {"__future__"}
    assert names <= sys.stdlib_module_names
