"""The CryoET Data Portal, stood in for by a GraphQL endpoint of its own schema and S3 servers on this machine."""

from __future__ import annotations

import concurrent.futures
import http.server
import importlib.resources
import json
import multiprocessing
import os
import resource
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
import pytest
import zarr
from numcodecs import Blosc, Delta

from zbench.datasets import cache_folder, read_file
from zbench.datasets.portal import Wanted, cached, find_tomograms, planned_bytes, read_crop
from zbench.datasets.portal.objects import Objects
from zbench.errors import DataError, LayoutError, RefusedError, UnknownNameError
from zbench.model import Box, voxel_digest
from zbench.stores import S3Server, s3_server

graphql = pytest.importorskip("graphql", reason="the portal group is not installed")
pytest.importorskip("cryoet_data_portal", reason="the portal group is not installed")
mrcfile = pytest.importorskip("mrcfile")

BUCKET = s3_server.BUCKET
CHUNK = 64
EXTENDED_BYTES = 96


# The portal: GraphQL over rows


def matches(row, where):
    """Tell whether a row fits a filter of the portal: comparisons of its fields, and filters of what it belongs to."""
    for field, condition in (where or {}).items():
        if isinstance(row[field], dict):
            if not matches(row[field], condition):
                return False
        elif not all({"_eq": row[field] == value}[operation] for operation, value in condition.items()):
            return False
    return True


class PortalHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.queries.append(asked["query"])
        status, answer = self.server.strange or (200, None)
        if answer is None:
            roots = {
                kind: lambda info, where=None, kind=kind, **_: [r for r in self.server.rows[kind] if matches(r, where)]
                for kind in self.server.rows
            }
            # The client has validated its query; doing so again would be most of the time of these tests.
            result = graphql.execute_sync(self.server.schema, graphql.parse(asked["query"]), root_value=roots)
            answer = json.dumps(result.formatted)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())


@pytest.fixture(scope="module")
def graphql_server():
    text = (importlib.resources.files("cryoet_data_portal") / "data" / "schema.graphql").read_text()
    with serving(PortalHandler) as server:
        server.schema = graphql.build_schema(text)
        yield server


@contextmanager
def serving(handler, kind=http.server.ThreadingHTTPServer):
    with kind(("127.0.0.1", 0), handler) as server:
        server.address = f"http://127.0.0.1:{server.server_port}"
        # Clients that hang up are part of these tests.
        told = server.handle_error
        server.handle_error = lambda *given: None if isinstance(sys.exception(), ConnectionError) else told(*given)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def tomogram_row(number, run, *, spacing, shape, **other):
    z, y, x = shape
    return {
        "id": number,
        "run": run,
        "runId": run["id"],
        "depositionId": 10310,
        "sizeZ": z,
        "sizeY": y,
        "sizeX": x,
        "voxelSpacing": spacing,
        "fiducialAlignmentStatus": "FIDUCIAL",
        "reconstructionMethod": "WBP",
        "processing": "raw",
        "reconstructionSoftware": "IMOD",
        "offsetX": 0,
        "offsetY": 0,
        "offsetZ": 0,
        "depositionDate": "2024-01-01T00:00:00+00:00",
        "releaseDate": "2024-01-01T00:00:00+00:00",
        "lastModifiedDate": "2024-01-01T00:00:00+00:00",
        **other,
    }


@pytest.fixture
def portal(graphql_server, monkeypatch):
    """Dataset 10445: TS_1 with tomograms 11 (OME-Zarr, MRC) and 12 (denoised, wider), TS_2 with 21 (MRC alone)."""
    first, second = (
        {"id": n, "datasetId": 10445, "name": f"TS_{n}", "s3Prefix": "", "httpsPrefix": ""} for n in (1, 2)
    )
    shape = (128, 256, 256)
    tomograms = [
        tomogram_row(21, second, spacing=31.36, shape=shape),
        tomogram_row(12, first, spacing=62.725, shape=shape, processing="denoised"),
        tomogram_row(11, first, spacing=31.36, shape=shape, publications="10.1000/tomo", fileSizeOmezarr=4e6),
    ]
    person = {"orcid": None, "email": None, "correspondingAuthorStatus": True, "primaryAuthorStatus": True}
    graphql_server.queries, graphql_server.strange = [], None
    graphql_server.rows = {
        "datasets": [
            {"id": 10445, "title": "Lamellae of yeast", "datasetPublications": "10.1000/data, 10.1000/tomo"}
            | dict.fromkeys(("description", "organismName", "s3Prefix", "httpsPrefix", "sampleType"), "cell")
            | dict.fromkeys(("depositionDate", "releaseDate", "lastModifiedDate"), "2024-01-01T00:00:00+00:00")
            | {"depositionId": 10310, "sampleType": "cell"}
        ],
        "runs": [first, second],
        "tomograms": tomograms,
        "tomogramAuthors": [
            person
            | {"id": 100 + order, "tomogram": tomograms[2], "tomogramId": 11, "authorListOrder": order, "name": name}
            for order, name in ((2, "Alan Turing"), (1, "Ada Lovelace"))
        ],
        "datasetAuthors": [
            person | {"id": order, "datasetId": 10445, "authorListOrder": order, "name": name}
            for order, name in ((4, "D"), (3, "C"), (2, "B"), (1, "Ada Lovelace"))
        ],
        "depositions": [
            {"id": 10310, "title": "A deposition", "description": "", "depositionPublications": "10.1000/depo"}
            | dict.fromkeys(("depositionDate", "releaseDate", "lastModifiedDate"), "2024-01-01T00:00:00+00:00")
        ],
    }
    monkeypatch.setenv("ZBENCH_PORTAL_URL", f"{graphql_server.address}/graphql")
    return graphql_server


# The bucket: one that tells at once what it was asked, and fails as it is told


class FaultyHandler(s3_server._S3Handler):
    """Knows how often the answer to a key goes wrong: ``server.cuts`` in its middle, ``server.busy`` altogether."""

    def do_GET(self):  # noqa: N802 - the name that http.server calls
        self.server.headers_seen.append(dict(self.headers))
        self.server.before(self)
        if take(self.server.busy, self.path):
            self._record("get", self._target()[0], busy=True)
            self._refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown")
            return
        super().do_GET()

    def _send(self, status, data, headers):
        if self.command != "GET" or not data or not take(self.server.cuts, self.path):
            super()._send(status, data, headers)
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        self.close_connection = True

    @property
    def requests(self):
        return self.server.requests

    @property
    def root(self):
        return self.server.root


def take(faults, path):
    for end in faults:
        if path.endswith(end) and faults[end] > 0:
            faults[end] -= 1
            return True
    return False


@pytest.fixture(scope="module")
def voxels(corpus):
    """A real tomogram, (128, 256, 256) of 8 bit."""
    return np.asarray(read_file(corpus / "cryoet" / "empiar11658_tomo171_256x256x128_u8.zip").array)


@pytest.fixture(scope="module")
def stored(voxels, tmp_path_factory):
    """Folder of the bucket: the tomogram as OME-Zarr in chunks of 64 and as MRC."""
    folder = tmp_path_factory.mktemp("bucket").resolve()
    write_omezarr(folder / "tomo.zarr", [voxels, voxels[::2, ::2, ::2]])
    write_mrc(folder / "tomo.mrc", voxels[:, :, ::2].astype("i2"))
    return folder


def write_omezarr(place, levels, *, chunks=(CHUNK,) * 3, axes="zyx", **how):
    group = zarr.open_group(str(place), mode="w", zarr_format=2)
    how = {"compressors": Blosc(cname="zstd", clevel=1)} | how
    for number, values in enumerate(levels):
        array = group.create_array(
            str(number),
            shape=values.shape,
            chunks=chunks[: values.ndim],
            dtype=values.dtype,
            chunk_key_encoding={"name": "v2", "separator": "/"},
            **how,
        )
        array[...] = values
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": axis, "type": "space", "unit": "angstrom"} for axis in axes],
            "datasets": [
                {
                    "path": str(number),
                    "coordinateTransformations": [{"type": "scale", "scale": [31.36 * 2**number] * len(axes)}],
                }
                for number in range(len(levels))
            ],
        }
    ]


def write_mrc(place, values):
    with mrcfile.new(place) as file:
        file.set_extended_header(np.zeros(EXTENDED_BYTES, "V1"))
        file.set_data(values)
        file.voxel_size = 31.36


@pytest.fixture
def bucket(stored, portal, monkeypatch):
    with serving(FaultyHandler, s3_server._Server) as server:
        server.root, server.requests, server.headers_seen = stored, [], []
        server.cuts, server.busy, server.before = {}, {}, lambda handler: None
        server.mrc = f"{server.address}/{BUCKET}/tomo.mrc"
        monkeypatch.setenv("ZBENCH_PORTAL_S3_ENDPOINT", server.address)
        for row in portal.rows["tomograms"]:
            row["httpsMrcFile"] = server.mrc
            row["s3OmezarrDir"] = f"s3://{BUCKET}/tomo.zarr" if row["id"] != 21 else None
        yield server


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A new cache, and none of the user's settings."""
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "cache"))
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("AWS_", "ZBENCH_PORTAL_")):
            monkeypatch.delenv(name)


def wanted(**change):
    return Wanted(**{"dataset": 10445, "tomogram": 11, "size": None if "box" in change else 40} | change)


def chunks_got(server):
    """Keys of the chunks that were asked for, each as often as it was."""
    return sorted(r["key"] for r in server.requests if r["operation"] == "get" and "." not in r["key"])


def crops():
    """Names of the files in the cache, locks left out."""
    folder = cache_folder() / "portal"
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.parent.name != "locks")


def middle(values, size):
    return values[tuple(slice((extent - size) // 2, (extent + size) // 2) for extent in values.shape)]


# Finding


def test_the_tomograms_of_a_dataset_are_found(portal):
    portal.rows["tomograms"][2] |= {"s3OmezarrDir": "s3://b/t.zarr", "httpsMrcFile": "https://h/t.mrc"}
    found = find_tomograms(10445)
    assert [one.id for one in found] == [11, 12, 21]
    first = found[0]
    assert (first.shape, first.spacing, first.processing, first.run_name) == ((128, 256, 256), 31.36, "raw", "TS_1")
    assert first.authors == ("Ada Lovelace", "Alan Turing")
    assert (first.omezarr, first.mrc, first.size_bytes) == ("s3://b/t.zarr", "https://h/t.mrc", 4_000_000)


def test_the_number_of_queries_does_not_grow_with_the_tomograms(portal):
    find_tomograms(10445)
    assert len(portal.queries) == 4


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        pytest.param({"run": "TS_1"}, [11, 12], id="name of a run"),
        pytest.param({"run": "2"}, [21], id="number of a run"),
        pytest.param({"tomogram": 12}, [12], id="tomogram"),
        pytest.param({"voxel_spacing": 31.36}, [11, 21], id="spacing"),
        pytest.param({"voxel_spacing": 62.7}, [12], id="spacing with fewer digits"),
        pytest.param({"run": "TS_1", "voxel_spacing": 31.36}, [11], id="run and spacing"),
    ],
)
def test_a_choice_narrows_what_is_found(portal, given, ids):
    assert [one.id for one in find_tomograms(10445, **given)] == ids


def test_a_run_whose_name_is_the_number_of_another_is_meant_by_its_name(portal):
    portal.rows["runs"][0]["name"] = "2"
    assert {one.run_id for one in find_tomograms(10445, run="2")} == {1}


def test_a_dataset_that_is_not_there_is_told(portal):
    with pytest.raises(DataError, match="has a number there: it has no 99"):
        find_tomograms(99)


def test_a_run_that_is_not_there_is_told_with_those_that_are(portal):
    with pytest.raises(UnknownNameError, match=r"Unknown run 'TS_9' of portal dataset 10445\. Its runs: TS_1, TS_2\."):
        find_tomograms(10445, run="TS_9")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"tomogram": 99}, r"none for tomogram 99 \(it has none\)", id="tomogram"),
        pytest.param(
            {"voxel_spacing": 10.0}, r"voxel spacing 10\.0 \(spacings there are 31\.36, 62\.725", id="spacing"
        ),
        pytest.param({"run": "TS_2", "tomogram": 11}, "none for run TS_2, tomogram 11", id="of another run"),
    ],
)
def test_a_tomogram_that_is_not_there_is_told(portal, given, told):
    with pytest.raises(DataError, match=told):
        find_tomograms(10445, **given)


@pytest.mark.parametrize(
    ("strange", "told"),
    [
        pytest.param((500, "<html>"), "TransportConnectionFailed", id="server error"),
        pytest.param((404, "<html>"), "404 Client Error", id="no endpoint"),
        pytest.param((200, "<html>"), "Not a JSON answer", id="no JSON"),
        pytest.param((200, '{"errors": [{"message": "out of order"}]}'), "out of order", id="errors"),
        pytest.param((200, '{"data": {}}'), "KeyError", id="no data"),
        pytest.param((200, '{"data": null}'), "AssertionError", id="nothing"),
    ],
)
def test_a_portal_that_answers_something_else_is_told(portal, strange, told):
    portal.strange = strange
    with pytest.raises(DataError, match=rf"must answer .*{portal.address}/graphql did not \(.*{told}") as caught:
        find_tomograms(10445)
    assert caught.match("set ZBENCH_PORTAL_URL")


def test_a_portal_that_says_nothing_is_not_waited_for_forever(portal, monkeypatch):
    monkeypatch.setenv("ZBENCH_PORTAL_TIMEOUT", "0.05")
    monkeypatch.setattr(PortalHandler, "do_POST", lambda handler: time.sleep(1))
    with pytest.raises(DataError, match=r"must answer .* Read timed out"):
        find_tomograms(10445)


@pytest.mark.parametrize("value", ["soon", "0", "-1", "inf", "nan"])
def test_a_timeout_that_is_none_is_refused(portal, monkeypatch, value):
    monkeypatch.setenv("ZBENCH_PORTAL_TIMEOUT", value)
    with pytest.raises(DataError, match=f"ZBENCH_PORTAL_TIMEOUT is .* got '{value}'"):
        find_tomograms(10445)


# A crop


def test_a_crop_from_the_middle_is_what_lies_there(bucket, voxels):
    volume = read_crop(wanted())
    np.testing.assert_array_equal(volume.array, middle(voxels, 40))
    assert (volume.axes, volume.spacing, volume.spacing_unit) == ("zyx", (31.36,) * 3, "angstrom")
    assert volume.provenance.licence == "CC0 1.0"
    assert volume.provenance.source == f"s3://{BUCKET}/tomo.zarr/0 [z 44:84, y 108:148, x 108:148]"


def test_a_crop_says_how_to_cite_it(bucket):
    told = read_crop(wanted()).provenance.citation
    assert told.startswith("Ada Lovelace, B, C et al.. Lamellae of yeast. CryoET Data Portal (https://cryoet")
    assert "dataset 10445, run TS_1, tomogram 11, deposition 10310. 10.1000/tomo, 10.1000/data, 10.1000/depo" in told


def test_a_crop_is_kept_with_a_record_of_what_it_is(bucket, voxels, portal):
    read_crop(wanted())
    path = cached(wanted())
    told = json.loads(path.with_suffix(".json").read_text())
    assert told["voxel_digest"] == voxel_digest(np.load(path)) == voxel_digest(middle(voxels, 40))
    assert told["box"] == {"start": [44, 108, 108], "stop": [84, 148, 148]}
    tomogram = told["portal"]["tomogram"]
    assert [tomogram[f"{kind}_id"] for kind in ("dataset", "run", "deposition")] == [10445, 1, 10310]
    assert (tomogram["id"], tomogram["spacing"]) == (11, 31.36)
    assert told["doi"] == ["10.1000/tomo", "10.1000/data", "10.1000/depo"]
    assert told["portal"]["address"] == f"{portal.address}/graphql"
    assert told["fetched"]["date"].startswith("20")
    assert len(crops()) == 3


def test_only_the_chunks_of_the_crop_are_fetched_each_once(bucket):
    read_crop(wanted(box=Box((60, 70, 130), (70, 80, 140))))
    assert chunks_got(bucket) == ["0/0/1/2", "0/1/1/2"]
    others = [r["key"] for r in bucket.requests if r["operation"] == "get" and "." in r["key"]]
    assert others == [".zattrs", "0/.zarray"]
    assert {r["operation"] for r in bucket.requests} == {"get", "head"}


def test_what_a_crop_costs_is_known_before(bucket):
    planned = planned_bytes(wanted())
    assert chunks_got(bucket) == []
    read_crop(wanted())
    got = [r for r in bucket.requests if r["operation"] == "get" and "." not in r["key"]]
    assert planned.requests == len(got) == 8
    assert planned.size_bytes == sum(r["size_bytes"] for r in got)
    assert planned.logical_bytes == 40**3
    assert (planned.tomogram.id, planned.box) == (11, Box((44, 108, 108), (84, 148, 148)))


def test_progress_is_told_up_to_what_was_planned(bucket):
    seen = []
    read_crop(wanted(), progress=lambda done, total: seen.append((done, total)))
    planned = planned_bytes(wanted())
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {planned.size_bytes}
    assert seen[-1][0] == planned.size_bytes


def test_a_crop_that_is_not_approved_is_not_fetched(bucket):
    asked = []
    with pytest.raises(DataError, match=r"must be approved: .* of s3://zbench/tomo\.zarr/0 were not"):
        read_crop(wanted(), approve=asked.append)
    assert asked == [planned_bytes(wanted())]
    assert chunks_got(bucket) == []
    assert crops() == []


def test_an_error_of_who_follows_the_progress_is_passed_on(bucket):
    def stop(done, total):
        msg = "the screen is gone"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="the screen is gone"):
        read_crop(wanted(), progress=stop)
    assert crops() == []


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(Box((0, 0, 0), (1, 1, 1)), id="first voxel"),
        pytest.param(Box((127, 255, 255), (128, 256, 256)), id="last voxel"),
        pytest.param(Box((100, 200, 0), (128, 256, 256)), id="to the edge"),
        pytest.param(Box((63, 0, 63), (65, 256, 65)), id="across borders of chunks"),
        pytest.param(None, id="whole"),
    ],
)
def test_a_box_is_what_lies_there(bucket, voxels, box):
    expected = voxels if box is None else voxels[box.slices]
    np.testing.assert_array_equal(read_crop(wanted(box=box)).array, expected)


def test_a_crop_wider_than_the_volume_is_the_volume(bucket, voxels):
    assert read_crop(wanted(size=1000)).shape == voxels.shape


@pytest.mark.parametrize("source", ["omezarr", "mrc"])
def test_a_box_that_leaves_the_volume_is_refused(bucket, source):
    extent = 256 if source == "omezarr" else 128
    box = Box((0, 0, extent - 1), (1, 1, extent + 1))
    with pytest.raises(LayoutError, match=rf"leaves the \(128, 256, {extent}\) voxels"):
        read_crop(wanted(box=box, source=source))
    assert crops() == []


def test_a_coarser_level_is_read_with_its_spacing(bucket, voxels):
    volume = read_crop(wanted(level=1))
    np.testing.assert_array_equal(volume.array, middle(voxels[::2, ::2, ::2], 40))
    assert volume.spacing == (62.72,) * 3


def test_a_level_that_does_not_exist_is_told(bucket):
    with pytest.raises(DataError, match=r"A level is one that was stored: got 2, s3://zbench/tomo\.zarr has 0 to 1"):
        read_crop(wanted(level=2))


def test_chunks_of_256_as_the_portal_stores_them_are_read(bucket, voxels, portal, tmp_path):
    write_omezarr(tmp_path / "large.zarr", [voxels], chunks=(256, 256, 256))
    bucket.root = tmp_path
    portal.rows["tomograms"][2]["s3OmezarrDir"] = f"s3://{BUCKET}/large.zarr"
    np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))
    assert chunks_got(bucket) == ["0/0/0/0"]


def test_of_several_tomograms_none_is_taken(bucket):
    with pytest.raises(DataError, match=r"2 of portal dataset 10445 fit") as caught:
        read_crop(wanted(tomogram=None, run="TS_1"))
    assert caught.match(r"\n11 +TS_1 +31.36 Å +128,256,256 +raw +Ada Lovelace et al\. +3\.8 MiB\n12 +TS_1 +62\.725 Å")
    assert bucket.requests == []


@pytest.mark.parametrize(
    ("how", "dtype"),
    [
        pytest.param({"order": "F"}, "<f4", id="columns first"),
        pytest.param({"compressors": None}, "<i2", id="not compressed"),
        pytest.param({"filters": [Delta(dtype="<i2")]}, "<i2", id="filter"),
        pytest.param({}, ">f4", id="big-endian"),
        pytest.param({}, "<f2", id="half precision"),
    ],
)
def test_arrays_are_decoded_as_their_metadata_say(bucket, portal, voxels, tmp_path, how, dtype):
    values = voxels[:20, :30, :40].astype(dtype)
    write_omezarr(tmp_path / "other.zarr", [values], chunks=(16, 16, 16), **how)
    bucket.root = tmp_path
    portal.rows["tomograms"][2]["s3OmezarrDir"] = f"s3://{BUCKET}/other.zarr"
    read = read_crop(wanted(size=None)).array
    np.testing.assert_array_equal(read, values)
    assert read.dtype == np.dtype(dtype).newbyteorder("<")


@pytest.mark.parametrize("fill", [pytest.param(7.0, id="number"), pytest.param(float("nan"), id="NaN")])
def test_a_chunk_that_was_not_stored_holds_the_fill_value(bucket, portal, voxels, tmp_path, fill):
    values = voxels[:20, :30, :40].astype("f4")
    write_omezarr(tmp_path / "holes.zarr", [values], chunks=(16, 16, 16), fill_value=fill)
    (tmp_path / "holes.zarr" / "0" / "0" / "1" / "2").unlink()
    bucket.root = tmp_path
    portal.rows["tomograms"][2]["s3OmezarrDir"] = f"s3://{BUCKET}/holes.zarr"
    values[:16, 16:, 32:] = fill
    np.testing.assert_array_equal(read_crop(wanted(size=None)).array, values)


def change_json(path, **change):
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def drop_axes(place):
    change_json(place / ".zattrs", multiscales=[{"datasets": []}])


@pytest.mark.parametrize(
    ("damage", "error", "told"),
    [
        pytest.param(lambda p: (p / ".zattrs").unlink(), DataError, r"has no \.zattrs", id="no group"),
        pytest.param(lambda p: (p / ".zattrs").write_text("{"), DataError, "JSONDecodeError", id="damaged metadata"),
        pytest.param(drop_axes, DataError, r"OME-NGFF 0\.4: .*KeyError", id="no axes"),
        pytest.param(lambda p: (p / "0/.zarray").unlink(), DataError, r"0/\.zarray is not", id="no array"),
        pytest.param(
            lambda p: change_json(p / "0/.zarray", zarr_format=3), RefusedError, "has format 3", id="format 3"
        ),
        pytest.param(lambda p: change_json(p / "0/.zarray", shape=[2, 2]), DataError, "three axes", id="flat"),
        pytest.param(
            lambda p: change_json(p / "0/.zarray", chunks=[0, 1, 1]), DataError, "at least one", id="no chunk"
        ),
        pytest.param(
            lambda p: change_json(p / "0/.zarray", filters=[{"id": "pickle"}]), RefusedError, "pickle", id="pickle"
        ),
        pytest.param(
            lambda p: (p / "0/0/0/0").write_bytes(b"no blosc"), DataError, r"0/0/0/0 of 8 bytes does not", id="chunk"
        ),
        pytest.param(
            lambda p: change_json(p / "0/.zarray", chunks=[16, 16, 8]), DataError, "chunk decodes to what", id="size"
        ),
    ],
)
def test_an_omezarr_that_is_not_what_it_should_be_is_refused(bucket, portal, voxels, tmp_path, damage, error, told):
    write_omezarr(tmp_path / "bad.zarr", [voxels[:20, :30, :40]], chunks=(16, 16, 16))
    damage(tmp_path / "bad.zarr")
    bucket.root = tmp_path
    portal.rows["tomograms"][2]["s3OmezarrDir"] = f"s3://{BUCKET}/bad.zarr"
    with pytest.raises(error, match=told):
        read_crop(wanted(size=None))
    assert crops() == []


def test_axes_of_another_order_are_refused(bucket, portal, voxels, tmp_path):
    write_omezarr(tmp_path / "xyz.zarr", [voxels[:20, :30, :40]], axes="xyz")
    bucket.root = tmp_path
    portal.rows["tomograms"][2]["s3OmezarrDir"] = f"s3://{BUCKET}/xyz.zarr"
    with pytest.raises(RefusedError, match=r"axes z, y, x: .* has \['x', 'y', 'z'\]"):
        read_crop(wanted())


# MRC by ranges


def mrc_ranges(server):
    return [r["length"] for r in server.requests if r["operation"] == "get" and r["start"] != 0]


def test_of_an_mrc_file_only_the_rows_of_the_crop_are_fetched(bucket, voxels):
    box = Box((3, 10, 5), (6, 30, 9))
    volume = read_crop(wanted(source="mrc", box=box))
    np.testing.assert_array_equal(volume.array, voxels[:, :, ::2][box.slices].astype("i2"))
    assert mrc_ranges(bucket) == [20 * 128 * 2] * 3
    assert volume.spacing == (31.36,) * 3


def test_whole_planes_of_an_mrc_file_are_fetched_together(bucket, voxels):
    box = Box((0, 0, 0), (100, 256, 128))
    volume = read_crop(wanted(source="mrc", box=box))
    np.testing.assert_array_equal(volume.array, voxels[:100, :, ::2].astype("i2"))
    assert mrc_ranges(bucket) == [100 * 256 * 128 * 2]


def test_a_range_of_planes_has_a_largest_size(bucket, voxels, monkeypatch):
    monkeypatch.setattr("zbench.datasets.portal.mrc_ranges._RANGE_BYTES", 3 * 256 * 128 * 2)
    volume = read_crop(wanted(source="mrc", box=Box((1, 0, 0), (9, 256, 128))))
    np.testing.assert_array_equal(volume.array, voxels[1:9, :, ::2].astype("i2"))
    assert sorted(mrc_ranges(bucket)) == [n * 256 * 128 * 2 for n in (2, 3, 3)]


def test_what_an_mrc_crop_costs_is_known_before(bucket):
    planned = planned_bytes(wanted(source="mrc"))
    assert mrc_ranges(bucket) == []
    read_crop(wanted(source="mrc"))
    assert (planned.requests, planned.size_bytes) == (40, sum(mrc_ranges(bucket)))


def test_a_tomogram_without_an_omezarr_is_read_from_its_mrc_file(bucket, voxels):
    np.testing.assert_array_equal(read_crop(wanted(tomogram=21)).array, middle(voxels[:, :, ::2], 40).astype("i2"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"tomogram": 21, "source": "omezarr"}, "21 of .* has MRC file; asked for was omezarr", id="form"),
        pytest.param({"tomogram": 21, "level": 1}, "asked for was mrc, level 1", id="level"),
    ],
)
def test_a_form_that_a_tomogram_has_not_is_told(bucket, given, told):
    with pytest.raises(DataError, match=told):
        read_crop(wanted(**given))


def cut(data):
    return data[:-1]


def lengthen(data):
    return data + b"\0"


def no_header(data):
    return b"\x89PNG" + data[4:]


def turn_axes(data):
    return data[:64] + np.array([3, 2, 1], "<i4").tobytes() + data[76:]


def complex_mode(data):
    return data[:12] + np.array([4], "<i4").tobytes() + data[16:]


@pytest.mark.parametrize(
    ("damage", "error", "told"),
    [
        pytest.param(cut, DataError, r"describes its data: .* \(128, 256, 128\) int16, .* and has", id="cut"),
        pytest.param(lengthen, DataError, "describes its data", id="longer"),
        pytest.param(lambda data: data[:100], DataError, "begins with its header", id="cut in its header"),
        pytest.param(lambda data: b"", DataError, "is not", id="empty"),
        pytest.param(no_header, DataError, "describes its data|begins with its header", id="no header"),
        pytest.param(turn_axes, RefusedError, r"axes \(1, 2, 3\)", id="turned"),
        pytest.param(complex_mode, RefusedError, "type complex64", id="complex"),
    ],
)
def test_an_mrc_file_that_is_not_what_it_should_be_is_refused(bucket, stored, tmp_path, damage, error, told):
    (tmp_path / "tomo.mrc").write_bytes(damage((stored / "tomo.mrc").read_bytes()))
    bucket.root = tmp_path
    with pytest.raises(error, match=told):
        read_crop(wanted(source="mrc"))
    assert crops() == []


def test_a_server_that_knows_no_ranges_is_refused(bucket, monkeypatch):
    monkeypatch.setattr(FaultyHandler, "parse_request", without_range, raising=False)
    with pytest.raises(DataError, match=r"tomo\.mrc is not"):
        read_crop(wanted(source="mrc"))


def without_range(handler):
    parsed = http.server.BaseHTTPRequestHandler.parse_request(handler)
    if parsed:
        del handler.headers["Range"]
    return parsed


# Failures on the way


def test_a_chunk_that_is_cut_in_its_middle_is_fetched_on_from_there(bucket, voxels):
    bucket.cuts = {"/0/1/2/1": 2}
    np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))
    asked = [r for r in bucket.requests if r["operation"] == "get" and r["key"] == "0/1/2/1"]
    assert len(asked) == 3
    assert 0 < asked[1]["start"] < asked[2]["start"]


def test_a_range_that_is_cut_in_its_middle_is_fetched_on_from_there(bucket, voxels):
    bucket.cuts = {"/tomo.mrc": 3}
    volume = read_crop(wanted(source="mrc", box=Box((0, 0, 0), (9, 256, 128))))
    np.testing.assert_array_equal(volume.array, voxels[:9, :, ::2].astype("i2"))


def test_a_busy_server_is_asked_again(bucket, voxels):
    bucket.busy = {"/0/1/2/1": 2, "/.zattrs": 1, "/0/.zarray": 1}
    np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))
    assert chunks_got(bucket).count("0/1/2/1") == 3


@pytest.mark.parametrize(
    ("fault", "told"),
    [pytest.param("cuts", "body error", id="cut"), pytest.param("busy", "503|SlowDown", id="busy")],
)
def test_a_server_that_goes_on_failing_is_given_up_and_the_cache_left_clean(bucket, fault, told):
    setattr(bucket, fault, {"/0/1/2/1": 1000})
    with pytest.raises(DataError, match=rf"tomo\.zarr/0/1/2/1 is not \(.*({told}).* Check the network"):
        read_crop(wanted())
    assert chunks_got(bucket).count("0/1/2/1") == 7
    assert crops() == []


def test_after_a_failure_the_same_can_be_asked_again(bucket, voxels):
    bucket.busy = {"/0/1/2/1": 7}
    with pytest.raises(DataError, match="is not"):
        read_crop(wanted())
    np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))


def test_a_server_that_is_not_there_is_told(bucket, monkeypatch):
    monkeypatch.setenv("ZBENCH_PORTAL_S3_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(DataError, match=r"s3://zbench/tomo\.zarr/\.zattrs is not .*Check the network"):
        read_crop(wanted())


def test_a_server_that_falls_silent_is_not_waited_for_forever(bucket, monkeypatch):
    monkeypatch.setenv("ZBENCH_PORTAL_TIMEOUT", "0.1")
    bucket.before = lambda handler: time.sleep(1)
    with pytest.raises(DataError, match=r"0/0/1/2/1 is not"):
        Objects(f"s3://{BUCKET}/tomo.zarr").read("0/0/1/2/1")


def test_credentials_of_the_user_are_not_sent(bucket, monkeypatch):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "mine")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")
    read_crop(wanted())
    assert bucket.headers_seen
    assert not any("mine" in str(headers) for headers in bucket.headers_seen)


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        pytest.param("ZBENCH_PORTAL_S3_ENDPOINT", ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), id="ours"),
        pytest.param("AWS_ENDPOINT_URL_S3", ("AWS_ENDPOINT_URL",), id="of S3"),
        pytest.param("AWS_ENDPOINT_URL", (), id="of all services"),
    ],
)
def test_the_endpoint_is_the_first_that_is_set(bucket, monkeypatch, mine, others):
    monkeypatch.delenv("ZBENCH_PORTAL_S3_ENDPOINT")
    monkeypatch.setenv(mine, bucket.address)
    for name in others:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert read_crop(wanted()).shape == (40, 40, 40)


def test_a_server_in_another_process_is_read(bucket, stored, voxels, monkeypatch):
    with S3Server(stored) as server:
        monkeypatch.setenv("ZBENCH_PORTAL_S3_ENDPOINT", server.endpoint)
        np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))
    assert len([r for _, r in server.requests if r.operation == "get" and "." not in r.key]) == 8


@pytest.mark.parametrize(
    ("library", "needs"),
    [
        pytest.param("cryoet_data_portal", "its client", id="client"),
        pytest.param("obstore.exceptions", "obstore", id="objects"),
        pytest.param("mrcfile", "mrcfile", id="MRC"),
    ],
)
def test_a_library_that_is_not_installed_is_told(bucket, monkeypatch, library, needs):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(RefusedError, match=rf"needs {needs}: it is not installed .*pip install 'zbench\[portal\]'"):
        read_crop(wanted(tomogram=21))


# The cache


def test_the_same_wish_is_granted_without_the_network(bucket, portal, voxels):
    read_crop(wanted())
    portal.queries.clear()
    bucket.requests.clear()
    np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))
    assert (portal.queries, bucket.requests) == ([], [])


def test_other_words_for_the_same_crop_fetch_it_not_again(bucket):
    read_crop(wanted())
    bucket.requests.clear()
    other = wanted(run="TS_1", box=Box((44, 108, 108), (84, 148, 148)))
    read_crop(other)
    assert chunks_got(bucket) == []
    assert cached(other) == cached(wanted())


def test_a_wish_of_another_portal_is_another(bucket, monkeypatch):
    read_crop(wanted())
    monkeypatch.setenv("ZBENCH_PORTAL_URL", "http://127.0.0.1:1/graphql")
    assert cached(wanted()) is None


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(flip, id="one bit"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1]), id="cut"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"no array at all"), id="other file"),
    ],
)
def test_a_crop_with_a_wrong_digest_is_refused_and_set_aside(bucket, voxels, damage):
    read_crop(wanted())
    path = cached(wanted())
    damage(path)
    wrong = path.read_bytes()
    with pytest.raises(DataError, match=r"fixed voxels: '.*\.npy' gave .*, its record says blake2b:") as caught:
        read_crop(wanted())
    (aside,) = (cache_folder() / "portal" / "refused").glob("*.npy")
    assert str(path) in str(caught.value)
    assert str(aside) in str(caught.value)
    assert aside.read_bytes() == wrong
    assert aside.with_suffix(".json").is_file()
    assert cached(wanted()) is None
    assert not path.exists()
    np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"voxel_digest": "blake2b:0"}'])
def test_a_crop_without_its_record_is_fetched_again(bucket, voxels, text):
    read_crop(wanted())
    path = cached(wanted())
    path.with_suffix(".json").write_text(text)
    bucket.requests.clear()
    np.testing.assert_array_equal(read_crop(wanted()).array, middle(voxels, 40))
    assert len(chunks_got(bucket)) == 8


def test_a_crop_with_a_record_of_another_version_is_fetched_again(bucket):
    read_crop(wanted())
    change_json(cached(wanted()).with_suffix(".json"), version=0)
    assert cached(wanted()) is None
    bucket.requests.clear()
    read_crop(wanted())
    assert len(chunks_got(bucket)) == 8


def test_what_a_killed_process_left_is_removed(bucket):
    read_crop(wanted())
    path = cached(wanted())
    path.unlink()
    left = path.with_name(f".{path.name}.0123")
    left.write_bytes(b"half")
    read_crop(wanted())
    assert not left.exists()


def test_a_cache_that_cannot_be_written_is_told(bucket, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "taken"))
    with pytest.raises(DataError, match=r"needs room in the cache: .*taken"):
        read_crop(wanted())


def test_a_crop_that_finds_no_room_is_told_before_anything_is_fetched(bucket):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40**3 // 2, limits[1]))
    try:
        with pytest.raises(DataError, match=r"needs room in the cache: .*Free some"):
            read_crop(wanted())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert chunks_got(bucket) == []
    assert crops() == []


def test_all_room_is_taken_before_anything_is_fetched(bucket):
    taken = []

    def look(done, total):
        (temporary,) = (cache_folder() / "portal").glob(".*.npy.*")
        taken.append(temporary.stat().st_blocks * 512)

    read_crop(wanted(), progress=look)
    # A map of a file with holes would end the process where the disk is full.
    assert taken[0] >= 40**3


# A process costs seconds of importing, unless it is forked from one that has done so and has neither threads nor a
# connection. It has the variables of the time when that one was begun.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["cryoet_data_portal", "zbench.datasets.portal", __name__])


def digest_of(wish):
    return voxel_digest(np.asarray(read_crop(wish).array))


def test_processes_that_ask_at_once_fetch_once(bucket, voxels):
    both = threading.Event()

    def hold(handler):
        # No chunk goes out before both processes have found out what they want and so stand at the lock.
        if handler.path.endswith("/.zattrs"):
            bucket.begun += 1
            if bucket.begun == 2:
                threading.Timer(0.5, both.set).start()
        elif "/0/0/" in handler.path or "/0/1/" in handler.path:
            assert both.wait(60)

    bucket.begun, bucket.before = 0, hold
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=PROCESSES) as pool:
        told = {name: value for name, value in os.environ.items() if name.startswith("ZBENCH_")}
        assert set(pool.map(digest_or_error, [told] * 2)) == {voxel_digest(middle(voxels, 40))}
    assert bucket.begun == 2
    assert len(chunks_got(bucket)) == 8
    assert len(crops()) == 3


def test_threads_that_ask_at_once_fetch_once(bucket, voxels):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert set(pool.map(digest_of, [wanted()] * 4)) == {voxel_digest(middle(voxels, 40))}
    assert len(chunks_got(bucket)) == 8


# Proxies: a process for each, for the library behind obstore reads the variables once


class ProxyHandler(http.server.BaseHTTPRequestHandler):
    """Passes requests for made-up names on to servers of this machine; refuses tunnels."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def forward(self):
        host = urlsplit(self.path).netloc
        self.server.seen.append(host)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = urllib.request.Request(
            self.path.replace(f"http://{host}", self.server.behind[host]),
            data=body or None,
            method=self.command,
            headers=dict(self.headers.items()),
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_POST = forward  # noqa: N815 - the names that http.server calls

    def do_CONNECT(self):
        self.server.seen.append(self.path)
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def proxy(bucket, portal):
    with serving(ProxyHandler) as server:
        server.seen = []
        server.behind = {"graphql.invalid": portal.address, "bucket.invalid": bucket.address}
        yield server


def digest_or_error(environment):
    os.environ.update(environment)
    try:
        return digest_of(wanted())
    except DataError as error:
        return str(error)


def read_elsewhere(**environment):
    told = {name: value for name, value in os.environ.items() if name.startswith("ZBENCH_")} | environment
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=PROCESSES) as pool:
        return pool.submit(digest_or_error, told).result()


def test_both_parts_go_through_a_proxy(proxy, voxels):
    told = read_elsewhere(
        HTTP_PROXY=proxy.address,
        ZBENCH_PORTAL_URL="http://graphql.invalid/graphql",
        ZBENCH_PORTAL_S3_ENDPOINT="http://bucket.invalid",
    )
    assert told == voxel_digest(middle(voxels, 40))
    assert set(proxy.seen) == {"graphql.invalid", "bucket.invalid"}


def test_neither_part_goes_through_a_proxy_that_is_not_for_it(proxy, voxels):
    told = read_elsewhere(HTTP_PROXY=proxy.address, HTTPS_PROXY=proxy.address, NO_PROXY="127.0.0.1")
    assert told == voxel_digest(middle(voxels, 40))
    assert proxy.seen == []


def test_the_portal_is_asked_through_a_tunnel(proxy):
    told = read_elsewhere(HTTPS_PROXY=proxy.address, ZBENCH_PORTAL_URL="https://graphql.invalid/graphql")
    assert "must answer what its client asks" in told
    assert set(proxy.seen) == {"graphql.invalid:443"}


def test_the_public_bucket_is_read_through_a_tunnel(proxy):
    told = read_elsewhere(HTTPS_PROXY=proxy.address, ZBENCH_PORTAL_S3_ENDPOINT="")
    assert "must be there to read" in told
    assert set(proxy.seen) == {"s3.us-west-2.amazonaws.com:443"}
