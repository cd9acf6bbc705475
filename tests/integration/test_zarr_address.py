"""Volumes that are Zarr in a bucket or on a web server, both on this machine."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from zbench.cli.main import main
from zbench.datasets import load, read_voxels
from zbench.datasets.remote import _from_environment
from zbench.errors import DataError, RefusedError
from zbench.model import Box, voxel_digest
from zbench.results import read_table
from zbench.stores import S3Server, s3_server

pytest.importorskip("obstore", reason="the portal group is not installed")

SHAPE = (2, 24, 40, 32)
PRESET = """
title = "One cell"
datasets = ["cryoet-phantom-128"]
engines = ["zarr-python"]

[[sweeps]]
name = "codec"
question = "Which codec?"
layouts = ["v3-c16"]
chains = ["gzip-1"]
patterns = ["full_read"]
"""


@pytest.fixture(scope="module")
def voxels():
    return np.random.default_rng(1).integers(-900, 900, SHAPE).astype("<i2")


def write_omezarr(place, voxels, *, zarr_format):
    """Two levels of four axes, in shards where the format has them."""
    group = zarr.open_group(str(place), mode="w", zarr_format=zarr_format)
    levels = [voxels, voxels[:, ::2, ::2, ::2]]
    for number, values in enumerate(levels):
        shards = {"shards": (1, 16, 16, 16)} if zarr_format == 3 else {}
        array = group.create_array(str(number), shape=values.shape, chunks=(1, 8, 8, 8), dtype=values.dtype, **shards)
        array[...] = values
    axes = [{"name": "c", "type": "channel"}, *({"name": one, "type": "space", "unit": "micrometer"} for one in "zyx")]
    multiscale = {
        "axes": axes,
        "datasets": [
            {
                "path": str(number),
                "coordinateTransformations": [{"type": "scale", "scale": [1.0, 2.0, 0.5, 0.5]}],
            }
            for number in range(len(levels))
        ],
    }
    group.attrs.update(
        {"multiscales": [multiscale]} if zarr_format == 2 else {"ome": {"version": "0.5", "multiscales": [multiscale]}}
    )


@pytest.fixture(scope="module")
def folder(voxels, tmp_path_factory):
    made = tmp_path_factory.mktemp("served").resolve()
    for zarr_format in (2, 3):
        write_omezarr(made / f"cells{zarr_format}.ome.zarr", voxels, zarr_format=zarr_format)
    return made


@pytest.fixture
def bucket(folder, monkeypatch):
    with S3Server(folder) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        yield f"s3://{s3_server.BUCKET}"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.endswith(self.server.refuses):
            self.send_error(500)
            return
        self.server.asked.append(self.path)
        given = self.headers.get("Range")
        if given is None:
            super().do_GET()
            return
        whole = Path(self.translate_path(self.path)).read_bytes()
        first, _, last = given.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(len(whole) - int(last), 0)
        stop = min(int(last) + 1, len(whole)) if first and last else len(whole)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(whole)}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        self.wfile.write(whole[start:stop])


@pytest.fixture
def web(folder):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        server.refuses, server.asked = ("refused",), []
        server.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_box_of_a_bucket_is_read_with_what_its_group_says(bucket, voxels, zarr_format):
    volume = load(f"{bucket}/cells{zarr_format}.ome.zarr::0")
    assert (volume.axes, volume.shape) == ("czyx", SHAPE)
    assert (volume.spacing, volume.spacing_unit) == ((2.0, 0.5, 0.5), "micrometer")
    box = Box((1, 3, 0, 9), (2, 20, 17, 32))
    np.testing.assert_array_equal(read_voxels(volume, box), voxels[box.slices])


def test_a_web_server_gives_the_levels_that_the_metadata_name(web, voxels):
    volume = load(f"{web.address}/cells3.ome.zarr::1@c=1")
    np.testing.assert_array_equal(read_voxels(volume), voxels[1, ::2, ::2, ::2])
    with pytest.raises(DataError, match=r"cells3\.ome\.zarr' has 0, 1; none was chosen"):
        load(f"{web.address}/cells3.ome.zarr")


def test_an_array_has_an_address_too(web, voxels):
    volume = load(f"{web.address}/cells2.ome.zarr/0")
    np.testing.assert_array_equal(read_voxels(volume), voxels)


def test_only_the_chunks_of_a_box_are_asked_for(web):
    volume = load(f"{web.address}/cells2.ome.zarr::0")
    web.asked.clear()
    read_voxels(volume, Box((0, 0, 0, 0), (1, 8, 8, 16)))
    assert sorted(web.asked) == ["/cells2.ome.zarr/0/0.0.0.0", "/cells2.ome.zarr/0/0.0.0.1"]


@pytest.mark.parametrize("kind", ["bucket", "web"])
def test_an_address_is_measured_as_a_file_is(kind, request, voxels, tmp_path):
    given = request.getfixturevalue(kind)
    address = f"{given if kind == 'bucket' else given.address}/cells3.ome.zarr"
    (tmp_path / "tiny.toml").write_text(PRESET, encoding="utf-8")
    words = [
        "cryoet", address, "--member", "@c=1", "--volume-size", 16, "--test-configs", tmp_path / "tiny.toml",
        "--workloads", "full_read", "--budget", "1ms", "--output-dir", tmp_path / "out",
    ]  # fmt: skip
    done = CliRunner().invoke(main, list(map(str, words)))
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert "to fetch: 8.0 KiB at most" in done.stdout
    assert "The group holds several levels; the first, '0', is measured." in done.stdout
    wanted = voxels[1, 4:20, 12:28, 8:24]
    rows = read_table(tmp_path / "out" / "results.json").rows
    assert {(row.voxel_digest, row.shape) for row in rows} == {(voxel_digest(wanted), wanted.shape)}
    assert address in (tmp_path / "out" / "report.md").read_text(encoding="utf-8").replace("\\", "")


@pytest.mark.parametrize(
    ("place", "says"),
    [
        pytest.param("nothing.zarr", "must be there to read", id="nothing there"),
        pytest.param("cells3.ome.zarr::7", "there is no '7'", id="no such level"),
        pytest.param("tomogram.mrc", "is a file. Download it", id="a file"),
    ],
)
@pytest.mark.parametrize("kind", ["bucket", "web"])
def test_what_is_not_there_is_one_line(kind, request, place, says, tmp_path):
    given = request.getfixturevalue(kind)
    address = given if kind == "bucket" else given.address
    done = CliRunner().invoke(main, ["cryoet", f"{address}/{place}", "--output-dir", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(RefusedError, match=r"from s3://, gs://, az://, https://, http://: got the address 'ftp://"):
        load("ftp://example.org/cells.zarr")


def test_a_chunk_that_cannot_be_had_is_told_and_nothing_is_left(web, tmp_path):
    web.refuses = ("0/1.1.2.2",)
    words = ["cryoet", f"{web.address}/cells2.ome.zarr", "--volume-size", "16", "--output-dir", str(tmp_path / "out")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "must be there to read" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("scheme", "variables", "settings"),
    [
        ("s3", {}, {"skip_signature": True}),
        ("s3", {"AWS_ACCESS_KEY_ID": "me"}, {}),
        ("s3", {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"},
         {"skip_signature": True, "aws_endpoint_url_s3": "http://b"}),
        ("gs", {"AWS_ACCESS_KEY_ID": "me"}, {"skip_signature": True}),
        ("gs", {"GOOGLE_APPLICATION_CREDENTIALS": "file"}, {}),
        ("az", {"AZURE_STORAGE_SAS_KEY": "key"}, {}),
    ],
)  # fmt: skip
def test_a_bucket_is_read_as_a_stranger_unless_there_are_credentials(scheme, variables, settings, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _from_environment(scheme) == settings
