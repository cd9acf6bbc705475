"""What looks at pages in a browser shares."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest

AXE = "axe-core@4"


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium."""
    from zbench.harness.publish.browse import CHROMIUM_FLAGS

    playwright = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no program 'chromium' on PATH; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(pytestconfig):
    """The source of axe-core, fetched by npm and kept in pytest's cache."""
    kept = pytestconfig.cache.mkdir("axe-core") / f"{AXE}.js"
    if not kept.is_file():
        npm = shutil.which("npm")
        assert npm, (
            f"{AXE} looks for barriers in the page, and npm fetches it: install npm (Debian: apt-get install npm)"
        )
        fetched = subprocess.run(
            [npm, "pack", "--silent", AXE], cwd=kept.parent, check=False, capture_output=True, text=True
        )
        assert fetched.returncode == 0, f"npm could not fetch {AXE}: {fetched.stderr[-500:]}"
        package = kept.parent / fetched.stdout.split()[-1]
        with tarfile.open(package) as archive:
            source = archive.extractfile("package/axe.min.js").read()
        package.unlink()
        kept.write_bytes(source)
    return kept.read_text(encoding="utf-8")
