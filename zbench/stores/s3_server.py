"""A program: a small S3 service on loopback over a local folder, which takes down every request.

It speaks as much of the protocol (https://docs.aws.amazon.com/AmazonS3/latest/API/) as Zarr libraries use on one object
at a time: GET with ranges, HEAD, PUT, DELETE, ListObjectsV2. There is no check of signatures, so it listens on loopback
only.

It runs in a process of its own and imports nothing but the standard library: some libraries hold Python's global lock
while they wait for an answer, so a server in their process could never give one; and it is started for every trace.

Arguments: the folder. It prints its port, serves until its standard input ends, then prints the requests as JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["BUCKET", "main"]

BUCKET = "zbench"
# Objects are written once here, so one date does for all.
_ISO_DATE, _HTTP_DATE = "2026-01-01T00:00:00.000Z", "Thu, 01 Jan 2026 00:00:00 GMT"
_RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A reader in many threads opens its connections all at once; more than wait here are refused.
    request_queue_size = 1024


class _S3Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this a small answer waits for the acknowledgement of its head (Nagle), some 40 ms each.
    disable_nagle_algorithm = True
    root: Path
    requests: list[dict[str, Any]]

    def log_message(self, *_: Any) -> None:
        """Say nothing: requests are taken down."""

    def do_GET(self) -> None:
        """Serve an object, a range of one, or a listing."""
        path, query = self._target()
        if "list-type" in query:
            self._list(query)
            return
        file = self._file(path)
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if file is None or not file.is_file():
            start, length = (None, None) if asked is None else _span(asked, None)
            self._record("get", path, start=start, length=length, found=False)
            self._refuse(HTTPStatus.NOT_FOUND, "NoSuchKey")
            return
        size = file.stat().st_size
        if asked is None:
            self._record("get", path, size_bytes=size)
            self._send(HTTPStatus.OK, file.read_bytes(), _etag(file))
            return
        start, length = _span(asked, size)
        first = size + start if start < 0 else start
        if first >= size:
            self._record("get", path, start=start, length=length)
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange")
            return
        with file.open("rb") as stream:
            stream.seek(max(first, 0))
            data = stream.read(size if length is None else length)
        self._record("get", path, start=start, length=length, size_bytes=len(data))
        first = max(first, 0)
        told = _etag(file) | {"Content-Range": f"bytes {first}-{first + len(data) - 1}/{size}"}
        self._send(HTTPStatus.PARTIAL_CONTENT, data, told)

    def do_HEAD(self) -> None:
        """Tell whether an object is there and how long it is."""
        path, _ = self._target()
        file = self._file(path)
        found = file is not None and file.is_file()
        self._record("head", path, found=found)
        if file is None or not found:
            self._send(HTTPStatus.NOT_FOUND, b"", {})
            return
        self.send_response(HTTPStatus.OK)
        for name, value in _etag(file).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(file.stat().st_size))
        self.end_headers()

    def do_PUT(self) -> None:
        """Keep an object."""
        path, _ = self._target()
        data = self._body()
        file = self._file(path)
        if file is None:
            self._refuse(HTTPStatus.BAD_REQUEST, "InvalidURI")
            return
        if self.headers.get("If-None-Match") == "*" and file.is_file():
            self._record("put", path, found=True)
            self._refuse(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self._record("put", path, size_bytes=len(data))
        self._send(HTTPStatus.OK, b"", _etag(file))

    def do_DELETE(self) -> None:
        """Remove an object."""
        path, _ = self._target()
        file = self._file(path)
        self._record("delete", path, found=file is not None and file.is_file())
        if file is not None:
            file.unlink(missing_ok=True)
        self._send(HTTPStatus.NO_CONTENT, b"", {})

    def _target(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)
        prefix = f"/{BUCKET}/"
        return path.removeprefix(prefix) if path.startswith(prefix) else "", query

    def _file(self, path: str) -> Path | None:
        file = (self.root / path).resolve()
        return file if path and file.is_relative_to(self.root) else None

    def _record(self, operation: Any, path: str, **fields: Any) -> None:
        # The first part is the array, which other engines know as the root of their store.
        key = path.partition("/")[2]
        # Appending to a list is atomic, so the threads need no lock of their own.
        self.requests.append({"at_ns": time.perf_counter_ns(), "operation": operation, "key": key, **fields})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b"".join(iter(self._piece, b""))
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        coded = self.headers.get("x-amz-content-sha256", "").startswith("STREAMING")
        return _unframed(data) if coded else data

    def _piece(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        self._record("list", prefix)
        keys = sorted(
            file.relative_to(self.root).as_posix()
            for file in self.root.rglob("*")
            if file.is_file() and file.relative_to(self.root).as_posix().startswith(prefix)
        )
        keys, folders = _grouped(keys, prefix, query.get("delimiter", [""])[0])
        entries = [
            f"<Contents><Key>{escape(key)}</Key><Size>{(self.root / key).stat().st_size}</Size>"
            f"<LastModified>{_ISO_DATE}</LastModified><ETag>{_etag(self.root / key)['ETag']}</ETag></Contents>"
            for key in keys
        ]
        entries += [f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders]
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(entries)}</KeyCount>"
            f"<MaxKeys>1000000</MaxKeys><IsTruncated>false</IsTruncated>{''.join(entries)}</ListBucketResult>"
        )
        self._send(HTTPStatus.OK, text.encode(), {"Content-Type": "application/xml"})

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
        self._send(status, text.encode(), {"Content-Type": "application/xml"})

    def _send(self, status: HTTPStatus, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _span(asked: re.Match[str], size: int | None) -> tuple[int, int | None]:
    """First byte (negative: from the end) and number of bytes of a Range header."""
    if not asked["first"]:
        length = int(asked["last"])
        return -min(length, size or length), length
    first = int(asked["first"])
    return first, (int(asked["last"]) - first + 1 if asked["last"] else None)


def _etag(file: Path) -> dict[str, str]:
    told = file.stat()
    tag = hashlib.md5(f"{told.st_mtime_ns}-{told.st_size}".encode(), usedforsecurity=False).hexdigest()
    return {"ETag": f'"{tag}"', "Last-Modified": _HTTP_DATE, "Accept-Ranges": "bytes"}


def _grouped(keys: list[str], prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    if not delimiter:
        return keys, []
    folders = {
        prefix + key[len(prefix) :].split(delimiter, 1)[0] + delimiter
        for key in keys
        if delimiter in key[len(prefix) :]
    }
    return [key for key in keys if delimiter not in key[len(prefix) :]], sorted(folders)


def _unframed(data: bytes) -> bytes:
    """Take the payload out of the aws-chunked coding."""
    pieces, place = [], 0
    while place < len(data):
        head, _, _ = data[place:].partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if not size:
            break
        place += len(head) + 2
        pieces.append(data[place : place + size])
        place += size + 2
    return b"".join(pieces)


def main() -> None:
    """Serve the folder that the first argument names."""
    requests: list[dict[str, Any]] = []
    handler = type("_Handler", (_S3Handler,), {"root": Path(sys.argv[1]).resolve(), "requests": requests})
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.shutdown()
    json.dump(requests, sys.stdout)


if __name__ == "__main__":
    main()
