"""Headless Chromium, driven by Selenium through Debian's chromedriver: for the tests of HTML pages, and for pictures.

`python tests/evaluation/chromium.py PICTURE.png` takes the picture of the documentation: the page of the sample report.
"""

import base64
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
SWITCHES = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
LOGS = {"browser": "ALL", "performance": "ALL"}


@contextmanager
def chromium() -> Iterator[Any]:
    """YIELDS (WebDriver): A browser with an empty profile, which it leaves behind nowhere."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", LOGS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for switch in [*SWITCHES, f"--user-data-dir={profile}"]:
            options.add_argument(switch)
        driver = Chrome(options=options, service=ChromeService(DRIVER))
        try:
            yield driver
        finally:
            driver.quit()


def resize(driver: Any, width: int, height: int = 900) -> None:
    """Show pages in a viewport of this size, as a phone does where it is narrow."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(driver: Any, scheme: str) -> None:
    """Let the system prefer "light" or "dark"."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def picture(driver: Any, path: Path, height: int | None = None) -> None:
    """Write a picture of the page that is open: all of it, or what is above `height`."""
    width, whole = driver.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0, "y": 0, "width": width, "height": height or whole, "scale": 1}
    command = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    data = driver.execute_cdp_cmd("Page.captureScreenshot", command)["data"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64decode(data))


def main(path: Path) -> None:
    """Take the picture of the documentation."""
    from spacy_ctxtag.evaluation.page import write_page

    report = json.loads(Path(__file__).with_name("report_sample.json").read_text(encoding="utf8"))
    with tempfile.TemporaryDirectory() as folder, chromium() as driver:
        page = Path(folder) / "report.html"
        write_page(report, page)
        resize(driver, 1280)
        prefer(driver, "light")
        driver.get(page.as_uri())
        end = "return document.querySelector('#ents .plots').getBoundingClientRect().bottom"
        picture(driver, path, height=round(driver.execute_script(end)) + 8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
