"""The study of publishing at a scale that takes no time, and the sentences of its page at the edges of its aims."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest

from zbench.errors import ResultsError
from zbench.harness.publish.browse import View, browse
from zbench.harness.publish.study import PublishPlan, study_publish
from zbench.model import Environment
from zbench.report.site.study import PublishFindings, Run, publish_page

FINDINGS = PublishFindings(
    series=10_000, commits=1000, input_bytes=2**30, site_bytes=2**27, index_bytes=2**18,
    turns=[(Run(1.2, 2**27), Run(40.0, 2**30)), (Run(1.5, 2**28), Run(40.0, 2**29)),
           (Run(4.0, 2**27), Run(50.0, 2**29))],
    nothing=Run(0.5, 2**27), date="2026-01-01",
    pairs=[(250, Run(20.0, 2**28), Run(2.0, 2**27)), (1000, Run(60.0, 2**29), Run(4.0, 2**28))],
    views=[View(name="overview", seconds=(0.4, 0.5, 0.6), transferred_bytes=400_000, requests=4),
           View(name="a benchmark", seconds=(1.1, 2.5, 1.2), transferred_bytes=2_000_000, requests=12)],
    machine=Environment(machine="box", os="Linux", cpu="a cpu", cores=2, memory_bytes=2**34, python="3.11.9",
                        packages=(), threads=(), filesystem="ext4"),
)  # fmt: skip


def test_the_page_says_what_is_measured_and_what_is_not():
    page = publish_page(FINDINGS)
    # 60 s for a tenth of the series.
    assert "**`zbench publish` is 15.0 times as fast as `asv publish` (extrapolated from 1,000 series; aim 10)" in page
    # The ratio of each turn; the slowest commit of all was added while all of it took longer, too.
    assert "3.8% [3.0%, 8.0%] of the full time (aim 5%)" in page
    assert "| all | 40.0 | 1.0 GiB |" in page
    assert "| one commit more | 1.50 | 256.0 MiB |" in page
    assert "which holds the median with 75%" in page
    assert "it would take 600 s" in page
    assert "The first view takes 0.500 s" in page
    assert "the slowest view, a benchmark, 2.50 s (aim 3 s)" in page
    assert "| 250 | 20.0 s | 2.00 s | 10.0 |" in page


def test_a_history_that_asv_published_whole_is_not_extrapolated():
    page = publish_page(replace(FINDINGS, pairs=[(10_000, Run(500.0, 2**31), Run(40.0, 2**30))]))
    assert "12.5 times as fast as `asv publish` (measured; aim 10)" in page
    assert "nothing is extrapolated" in page
    assert "would take" not in page


@pytest.mark.browser
@pytest.mark.long
def test_the_study_runs_both_programs_and_visits_every_view(tmp_path):
    pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    if shutil.which("chromium") is None:
        pytest.skip("no program 'chromium' on PATH; on Debian: apt-get install chromium")
    told = []
    plan = PublishPlan(benchmarks=10, commits=30, asv_series=(250,), visits=1)
    (path,) = study_publish(tmp_path, plan=plan, report=told.append)
    page = path.read_text(encoding="utf-8")
    assert re.search(r"^\| 250 \| [\d.]+ s \| [\d.]+ s \|", page, re.MULTILINE)
    assert re.search(r"^\| one commit more \| [\d.,]+ \| [\d.,]+ [KMG]iB \|$", page, re.MULTILINE)
    rows = re.findall(r"^\| (.+?) \| [\d.]+ \| [\d.]+ \| [\d.]+ [KM]iB \| \d+ \|$", page, re.MULTILINE)
    assert rows == [
        "overview", "a benchmark of 100 cells, all pictures", "two points compared", "Pareto of two benchmarks",
        "environments",
    ]  # fmt: skip
    assert told[-1].done <= told[-1].total


@pytest.mark.browser
@pytest.mark.slow
def test_a_view_that_does_not_come_ends_the_study(tmp_path, monkeypatch):
    pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    if shutil.which("chromium") is None:
        pytest.skip("no program 'chromium' on PATH; on Debian: apt-get install chromium")
    (tmp_path / "index.html").write_text("<h1>empty</h1>", encoding="utf-8")
    monkeypatch.setattr("zbench.harness.publish.browse._LIMIT_MS", 500)
    with pytest.raises(ResultsError, match="Every view must come"):
        browse(tmp_path, {"overview": ("#/", "table")})
