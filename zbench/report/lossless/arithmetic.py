"""Published statements that need no measurement: each is worked out again from the geometry it names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zbench.model import ArrayLayout
from zbench.patterns import access_pattern, mean_touched, plan
from zbench.report.lossless.published import published
from zbench.report.lossless.verdict import Judged, Judgement
from zbench.report.text import number

if TYPE_CHECKING:
    from zbench.units import Shape

__all__ = ["chunk_count", "recomputed"]

_MEGABYTE = 1e6
# A published figure that was rounded is not wrong.
_ROUNDING = 0.03


def chunk_count(shape: Shape, chunks: Shape) -> int:
    """Count the chunks of a volume.

    Parameters
    ----------
    shape, chunks
        Extents in voxels, ``(z, y, x)``.

    Returns
    -------
    int
        Those at the edge included.
    """
    layout = ArrayLayout(chunks=chunks)
    return plan(access_pattern("full_read", shape), layout, itemsize=1).chunks


def recomputed() -> tuple[Judged, ...]:
    """Work the published statements out again.

    Returns
    -------
    tuple of Judged
        With the verdict of arithmetic.
    """
    return (*_files(), *_costs(), *_region(), *_amplifications(), *_ratios())


def _agree(claimed: float, true: float) -> Judgement:
    return Judgement.AGREES if abs(claimed / true - 1) <= _ROUNDING else Judgement.DISAGREES


def _judged(claim: str, source: str, claimed: float, true: float, *, ours: str, said: str = "") -> Judged:
    return Judged(
        claim=claim,
        source=published().cited(source),
        published=said or number(claimed),
        ours=ours,
        judgement=_agree(claimed, true),
    )


def _files() -> tuple[Judged, ...]:
    said, shape = published()["statements"], tuple(published()["statements"]["shape"])
    small, large = chunk_count(shape, (16,) * 3), chunk_count(shape, (128,) * 3)
    grid = "x".join(map(str, shape))
    roadmap = published()["chunks"]
    crop = tuple(roadmap["shape"])
    files = [chunk_count(crop, (edge,) * 3) + 1 for edge in (16, 128)]
    cut = 100 * (1 - files[1] / files[0])
    counted = {edge: chunk_count(crop, (int(edge),) * 3) + 1 for edge in roadmap["files"]}
    return (
        _judged(
            f"Files of a volume of {grid} at chunks of 16",
            "statements",
            said["files_at_16"],
            small,
            ours=f"{small:,} chunks: {number(said['files_at_16'] / small)} times fewer than said",
        ),
        _judged(
            f"Files of a volume of {grid} at chunks of 128",
            "statements",
            said["files_at_128"][0],
            large,
            said=" or ".join(map(str, said["files_at_128"])),
            ours=f"{large} chunks",
        ),
        Judged(
            claim="Files of a volume of 128x128x128 by chunk edge, metadata included",
            source=published().cited("chunks"),
            published=", ".join(f"{edge}: {count}" for edge, count in roadmap["files"].items()),
            ours=", ".join(f"{edge}: {count}" for edge, count in counted.items()),
            judgement=Judgement.AGREES if counted == roadmap["files"] else Judgement.DISAGREES,
        ),
        _judged(
            "Reduction of files from chunks of 16 to chunks of 128, in percent",
            "chunks",
            roadmap["reduction_percent"],
            cut,
            ours=f"{cut:.1f}",
        ),
    )


def _costs() -> tuple[Judged, ...]:
    said, prices, shape = published()["statements"], published()["prices"], tuple(published()["statements"]["shape"])
    each = prices["get_per_thousand"] / 1000
    many, few = (chunk_count(shape, (edge,) * 3) for edge in (16, 128))
    gigabytes = math.prod(shape) * said["itemsize"] / said["compressed_ratio"] / 1e9
    egress = gigabytes * prices["egress_per_gb"]
    said_million = said["cost_per_million"]
    own_million = said["cost_per_access"] * 1e6
    return (
        _judged(
            "Cost in dollars of the requests of one whole read at chunks of 16",
            "statements",
            said["cost_per_access"],
            many * each,
            ours=(
                f"{many:,} requests cost {number(many * each)} at {prices['get_per_thousand']} a thousand "
                f"({prices['date']}); the egress of the compressed volume costs {number(egress)}, "
                f"{number(egress / (many * each))} times as much"
            ),
        ),
        _judged(
            "Cost in dollars of a million whole reads, chunks of 16 against 128",
            "statements",
            said_million[0],
            many * each * 1e6,
            said=" against ".join(map(number, said_million)),
            ours=(
                f"{number(many * each * 1e6)} against {number(few * each * 1e6)}; the statement's own price of one "
                f"read, times a million, is {number(own_million)}"
            ),
        ),
        _judged(
            "Factor between the two",
            "statements",
            said["cost_factor"],
            many / few,
            ours=f"{number(many / few)}, the ratio of the numbers of chunks",
        ),
    )


def _region() -> tuple[Judged, ...]:
    said = published()["statements"]
    chunk = (said["roi_chunk"],) * 3
    edge, size = said["roi_edge"], math.prod(chunk) * said["itemsize"] / _MEGABYTE
    aligned = (edge // said["roi_chunk"]) ** 3 * size
    mean = mean_touched(tuple(said["shape"]), (edge,) * 3, chunk) * size
    return (
        _judged(
            f"Megabytes read for a region of {edge}x{edge}x{edge} at chunks of {chunk[0]}",
            "statements",
            said["roi_megabytes"],
            aligned,
            ours=f"{number(aligned)} when aligned with the chunks, {number(mean)} on average over all places",
        ),
    )


def _amplification(chunks: Shape, pattern: str) -> float:
    said = published()["statements"]
    boxes = access_pattern(pattern, tuple(said["shape"]))
    return plan(boxes, ArrayLayout(chunks=chunks), itemsize=said["itemsize"]).amplification


def _amplifications() -> tuple[Judged, ...]:
    shape = tuple(published()["statements"]["shape"])
    slab, cube, large = (16, 128, 128), (64, 64, 64), (128, 128, 128)
    of = {
        (chunks, plane): number(_amplification(chunks, f"{plane}_plane"))
        for chunks in (slab, cube, large)
        for plane in ("xy", "xz", "yz")
    }
    side_slab, side_cube = (_amplification(chunks, "xz_plane") for chunks in (slab, cube))
    padding = chunk_count(shape, large) * math.prod(large) / math.prod(shape)
    return (
        Judged(
            claim="Chunks of 16x128x128 are for visualization",
            source=published().cited("statements"),
            published="recommended",
            ours=(
                f"an XY plane decodes {of[slab, 'xy']} times what it shows (64x64x64: {of[cube, 'xy']}), but an XZ "
                f"plane {of[slab, 'xz']} and a YZ plane {of[slab, 'yz']} (64x64x64: {of[cube, 'xz']}): "
                f"{number(side_slab / side_cube)} times more than the cube of the same bytes"
            ),
            judgement=Judgement.IN_PART if side_slab > side_cube else Judgement.AGREES,
        ),
        Judged(
            claim="Chunks of 128x128x128 are best for the cloud",
            source=published().cited("statements"),
            published="recommended",
            ours=(
                f"an XY plane decodes {of[large, 'xy']} times what it shows, against {of[cube, 'xy']} with 64x64x64, "
                f"and padding stores {number(padding)} times the voxels: right for whole reads only"
            ),
            judgement=Judgement.IN_PART if float(of[large, "xy"]) > float(of[cube, "xy"]) else Judgement.AGREES,
        ),
    )


def _ratios() -> tuple[Judged, ...]:
    said, heart = published()["statements"], published()["heart"]
    shape, edge = tuple(heart["shape"]), heart["chunk"]
    stored = chunk_count(shape, (edge,) * 3) * edge**3 / math.prod(shape)
    low, high = said["entropy_limit"]
    best = said["entropy_achieved"]
    return (
        _judged(
            f"Compression ratio of no compression at chunks of {edge}: the padding",
            "heart",
            heart["chains"]["none"]["ratio"],
            1 / stored,
            ours=f"{1 / stored:.3f} by arithmetic",
        ),
        Judged(
            claim="The entropy of the voxels limits the compression ratio",
            source=published().cited("statements"),
            published=f"limit {low} to {high}, reached {best}",
            ours=(
                f"{best} was reached and is more than {high}: the order-0 entropy of bytes bounds no codec that sees "
                "neighbours"
            ),
            judgement=Judgement.DISAGREES if best > high else Judgement.CANNOT_TELL,
        ),
        Judged(
            claim="Number of tomograms in the CryoET Data Portal",
            source=published().cited("statements"),
            published=f"about {said['tomograms']:,}",
            ours=f"nearly {said['portal_tomograms']:,} by the portal's own documentation; not measured here",
            judgement=_agree(said["tomograms"], said["portal_tomograms"]),
        ),
    )
