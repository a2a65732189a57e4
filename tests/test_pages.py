"""The built documentation as a reader meets it: links, widths, formulas, images and the search.

`REVDIST_HTML` names the folder that sphinx-build wrote. Links are read from the files; the rest is
measured in headless Chromium.
"""

import os
import shutil
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest

NARROW, WIDE = 420, 1400

# What is wrong with the page that is open. Tables, code and formulas that scroll by themselves do
# not widen it; an article that scrolls as a whole does. What is only cut off is lost to the reader.
FAULTS = """
const [width, done] = arguments;
const name = e => `${e.tagName.toLowerCase()}.${e.className} ${e.textContent.trim().slice(0, 60)}`;
const faults = {wide: [], cut: [], formulas: [], images: []};
const article = document.querySelector("article") || document.querySelector("main");
const frames = new Set([document.scrollingElement]);
for (let e = article; e; e = e.parentElement) frames.add(e);
for (const frame of frames)
  if (frame.scrollWidth > Math.min(frame.clientWidth + 1, width)) faults.wide.push(name(frame));
const scrolls = e => {
  for (; !frames.has(e); e = e.parentElement)
    if (/auto|scroll/.test(getComputedStyle(e).overflowX)) return true;
  return false;
};
if (faults.wide.length)
  for (const e of article.querySelectorAll("*"))
    if (e.getBoundingClientRect().right > article.getBoundingClientRect().right + 1
        && !scrolls(e.parentElement)) faults.wide.push(name(e));
for (const e of document.querySelectorAll("article *"))
  if (/hidden|clip/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1
      && e.clientWidth > 1) faults.cut.push(name(e));
for (const e of document.querySelectorAll("math")) {
  const {width, height} = e.getBoundingClientRect();
  if (!(width > 0 && height > 0 && /math/.test(getComputedStyle(e).display))
      || e.querySelector("merror")) faults.formulas.push(name(e));
}
Promise.all([...document.images].map(image => {
  image.loading = "eager";
  return image.decode().then(() => image.naturalWidth > 0, () => false)
    .then(loaded => { if (!loaded) faults.images.push(image.src); });
})).then(() => done(faults));
"""


class _Page(HTMLParser):
    """Names of places on a page, and what it links to or loads."""

    def __init__(self, file):
        super().__init__()
        self.places, self.links = set(), []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing: what was asked for is no result."""


@pytest.fixture(scope="module")
def html():
    """The folder of the built pages."""
    if "REVDIST_HTML" not in os.environ:
        pytest.skip("the pages are not built: REVDIST_HTML does not name their folder")
    return Path(os.environ["REVDIST_HTML"]).resolve(strict=True)


@pytest.fixture(scope="module")
def pages(html):
    """Each page by its address within the folder."""
    return {
        file.relative_to(html).as_posix(): _Page(file)
        for file in sorted(html.rglob("*.html"))
        if "_static" not in file.parts
    }


@pytest.fixture(scope="module")
def address(html):
    """Where the pages are served, since browsers run no search from files."""
    handler = partial(_Quiet, directory=html)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium without a network."""
    webdriver = pytest.importorskip("selenium.webdriver")
    # GitHub's machines have a driver for Chrome, Debian's package one for Chromium.
    binary = shutil.which("google-chrome") or shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for option in (
        "--headless=new",
        "--no-sandbox",  # which root, as in containers, cannot have
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
    with webdriver.Chrome(options, webdriver.ChromeService(driver)) as opened:
        opened.set_script_timeout(60)
        yield opened


def set_width(browser, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )


@pytest.fixture(scope="module")
def faults(browser, address, pages):
    """What is wrong with each page, by kind: each is opened once, and measured at both widths."""
    found = {}
    for page in pages:
        set_width(browser, WIDE)
        browser.get(address + page)
        for width in (WIDE, NARROW):
            set_width(browser, width)
            for kind, places in browser.execute_async_script(FAULTS, width).items():
                if places:
                    found.setdefault(kind, {})[page, width] = places
        entries = browser.get_log("browser")
        # The theme writes there itself when a reader comes for the first time.
        if messages := [e["message"] for e in entries if e["source"] != "console-api"]:
            found.setdefault("console", {})[page] = messages
    return found


def test_every_link_within_the_pages_leads_somewhere(html, pages):
    dead = []
    for name, page in pages.items():
        for link in page.links:
            scheme, host, path, _, place = urlsplit(link)
            if scheme or host:
                continue
            target = (html / name).parent / unquote(path) if path else html / name
            if not target.is_file():
                dead.append((name, link))
                continue
            linked = pages.get(target.resolve().relative_to(html).as_posix())
            place = unquote(place).partition(":~:")[0]  # what follows is a text to look for
            if place and linked and place not in linked.places:
                dead.append((name, link))
    assert dead == []


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("wide", "the page is wider than the window"),
        ("cut", "content is cut off where it cannot be scrolled"),
        ("formulas", "a formula is not drawn"),
        ("images", "an image does not load"),
        ("console", "the browser reports an error"),
    ],
)
def test_no_page_has_a_fault(kind, what, faults):
    assert faults.get(kind, {}) == {}, what


@pytest.mark.parametrize(
    ("word", "page"),
    [("GPU", "gpu.html"), ("cite", "citing.html"), ("install", "install.html")],
)
def test_the_search_finds_what_readers_look_for(word, page, browser, address):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    set_width(browser, WIDE)
    browser.get(address + "index.html")
    browser.find_element(By.CSS_SELECTOR, "button.search-button-field").click()
    browser.find_element(By.CSS_SELECTOR, "#pst-search-dialog input").send_keys(word + "\n")
    waiting = WebDriverWait(browser, 30)
    waiting.until(lambda _: "search.html" in browser.current_url)
    waiting.until(lambda _: "match" in browser.find_element(By.ID, "search-results").text)
    links = browser.find_elements(By.CSS_SELECTOR, "#search-results ul.search li a")
    found = [Path(urlsplit(link.get_attribute("href")).path).name for link in links]
    assert page in found[:5], found
