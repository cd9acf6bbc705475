"""What an engine cannot is refused before anything is written: the rule, the value, the way out."""

from __future__ import annotations

import sys
from importlib import metadata

import numpy as np
import pytest

from zbench.codecs import parse_config
from zbench.engines import ENGINE_NAMES, engine
from zbench.errors import LayoutError, RefusedError, UnknownNameError
from zbench.model import StoreKind, StoreSpec
from zbench.stores import inventory

F4 = np.dtype("f4")
BY_RELEASE = {
    "2.18": {"zarr-python"},
    "3.1": {"zarr-python", "zarrs", "tensorstore"},
    "3.4": {"zarr-python", "zarr-python-fused", "zarrs", "tensorstore"},
}


def says(error, *parts):
    return [part for part in parts if part not in str(error.value)] == []


def test_each_release_of_zarr_has_its_engines(engines):
    assert set(engines) == BY_RELEASE[".".join(metadata.version("zarr").split(".")[:2])]


def test_an_engine_tells_the_versions_that_its_numbers_depend_on(chosen):
    packages = {"tensorstore": ["tensorstore"], "zarrs": ["zarr", "numcodecs", "zarrs"]}
    names = packages.get(chosen.name, ["zarr", "numcodecs"])
    assert chosen.versions() == {name: metadata.version(name) for name in names}


@pytest.mark.parametrize("name", ["zarr-python-fused", "zarrs", "tensorstore"])
def test_an_engine_that_is_not_here_is_refused_with_the_way_to_have_it(engines, name, monkeypatch):
    if name in engines:
        assert engine(name).name == name
        return
    with pytest.raises(RefusedError) as refused:
        engine(name)
    assert name in str(refused.value) or "fused" in str(refused.value)
    ways = ("Run: pip install tensorstore", "Use a newer zarr", "Use an environment with zarr 3")
    assert any(way in str(refused.value) for way in ways)


@pytest.mark.parametrize("name", ["zarrs", "tensorstore"])
def test_a_missing_package_is_refused_with_its_name(engines, name, monkeypatch):
    installed = metadata.version

    def without(package):
        if package == name:
            raise metadata.PackageNotFoundError(package)
        return "3.1.6" if package == "zarr" else installed(package)

    monkeypatch.setattr(metadata, "version", without)
    with pytest.raises(RefusedError) as refused:
        engine.__wrapped__(name)
    assert says(refused, f"Engine {name!r} needs the package {name}", "not installed", f"pip install {name}")


def test_an_engine_of_another_name_is_an_error_that_lists_them():
    with pytest.raises(UnknownNameError, match="Did you mean 'zarrs'") as unknown:
        engine("zarrz")
    assert says(unknown, *ENGINE_NAMES)


def test_shards_in_format_2_are_no_layout():
    with pytest.raises(LayoutError, match="Sharding belongs to Zarr format 3") as error:
        parse_config("v2-c4-s8:none")
    assert says(error, "(8, 8, 8)", "Use zarr_format=3")


def test_f_order_in_format_3_is_refused(chosen, local):
    config = parse_config("v3-c4-order=F:none")
    rule = "writes format 2" if chosen.versions().get("zarr", "3").startswith("2") else "no order of its own"
    way = "Use a v2 layout" if rule == "writes format 2" else "Leave the order out"
    for ask in (
        lambda: chosen.refuse(config, dtype=F4, store=local()),
        lambda: chosen.create(local(), config, shape=(8, 8, 8), dtype=F4),
    ):
        with pytest.raises(RefusedError, match=rule) as refused:
            ask()
        assert says(refused, "'v3-c4-order=F'", way)
    assert inventory(local()).objects == 0


def test_format_3_is_refused_by_zarr_2_alone(chosen, local):
    config = parse_config("v3-c4:none")
    if not chosen.versions().get("zarr", "3").startswith("2"):
        chosen.refuse(config, dtype=F4, store=local())
        return
    for ask in (
        lambda: chosen.refuse(config, dtype=F4, store=local()),
        lambda: chosen.create(local(), config, shape=(8, 8, 8), dtype=F4),
    ):
        with pytest.raises(RefusedError, match="writes format 2") as refused:
            ask()
        assert says(refused, metadata.version("zarr"), "'v3-c4'", "an environment with zarr 3")


def test_f_order_in_format_2_is_refused_by_zarrs_alone(chosen, local):
    config = parse_config("v2-c4-order=F:none")
    if chosen.name != "zarrs":
        chosen.refuse(config, dtype=F4, store=local())
        return
    with pytest.raises(RefusedError, match="stores what its library can") as refused:
        chosen.refuse(config, dtype=F4, store=local())
    assert says(refused, "'v2-c4-order=F:none'", "float32", metadata.version("zarrs"), "Take another chain")


def test_a_store_that_the_engine_has_not_is_refused(chosen):
    lacks = {"zarrs": StoreKind.MEMORY}
    if chosen.versions().get("zarr", "3").startswith("2"):
        lacks[chosen.name] = StoreKind.S3
    kind = lacks.get(chosen.name)
    config = parse_config("v2-c4:none")
    if kind is None:
        for known in StoreKind:
            chosen.refuse(config, dtype=F4, store=StoreSpec(kind=known, location="place/array.zarr"))
        return
    store = StoreSpec(kind=kind, location="place/array.zarr")
    for ask in (
        lambda: chosen.refuse(config, dtype=F4, store=store),
        lambda: chosen.create(store, config, shape=(8, 8, 8), dtype=F4),
        lambda: chosen.open(store),
    ):
        with pytest.raises(RefusedError, match="works on local") as refused:
            ask()
        assert says(refused, repr(chosen.name), f"got a {kind} store", "Use one of those")


def test_a_store_that_cannot_be_observed_is_refused(chosen, local):
    told = []
    store = StoreSpec(kind=StoreKind.LOCAL, location=local().location, observer=told.append)
    config = parse_config("v2-c4:none")
    if chosen.tracing == "observer":
        chosen.create(store, config, shape=(8, 8, 8), dtype=F4)
        assert told
        return
    for ask in (
        lambda: chosen.refuse(config, dtype=F4, store=store),
        lambda: chosen.create(store, config, shape=(8, 8, 8), dtype=F4),
        lambda: chosen.open(store),
    ):
        with pytest.raises(RefusedError, match="no observer sees") as refused:
            ask()
        assert says(refused, repr(chosen.name), "an observed local store", "through a server")
    assert told == []
    assert inventory(local()).objects == 0


def test_s3_without_obstore_is_refused_with_its_name(chosen, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    store = StoreSpec(kind=StoreKind.S3, location="bucket/array.zarr", endpoint="http://127.0.0.1:9")
    if chosen.name == "tensorstore" or chosen.versions().get("zarr", "3").startswith("2"):
        # One has its own S3, the other none.
        assert "obstore" not in chosen.versions()
        return
    with pytest.raises(RefusedError, match="goes through obstore") as refused:
        chosen.create(store, parse_config("v2-c4:none"), shape=(8, 8, 8), dtype=F4)
    assert says(refused, "Run: pip install obstore")


def test_an_observed_s3_store_is_refused(chosen):
    store = StoreSpec(kind=StoreKind.S3, location="bucket/array.zarr", observer=lambda _: None)
    with pytest.raises(RefusedError, match=r"observer|works on local"):
        chosen.create(store, parse_config("v2-c4:none"), shape=(8, 8, 8), dtype=F4)
