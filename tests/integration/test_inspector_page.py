"""The inspector page in a real browser, against the gateway's HTTP server."""

import base64
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import online_models
import pytest
from made_shop import UNSAFE_TITLE, MadeShop, painted
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    FilePayload,
    Locator,
    Page,
    Route,
    expect,
    sync_playwright,
)
from served_models import running

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.encoder_service.config import EncoderServiceConfig
from serving.encoder_service.remote_encoder import open_channel
from serving.encoder_service.worker import Workers
from serving.gateway.config import GatewayConfig
from serving.gateway.engine import Engine
from serving.gateway.http.access_tokens import AccessTokens
from serving.gateway.http.app import create_app
from serving.gateway.http.server import GatewayServer
from serving.gateway.model_client import ModelClient
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from serving.item_store.lmdb_item_store import LmdbItemStore

TIMEOUT_MS = 15_000
expect.set_options(timeout=TIMEOUT_MS)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        missing = "no chromium: install it (Debian: apt-get install chromium)"
        if os.environ.get("ADLENS_REQUIRE_BROWSER"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(engine: Engine | MadeShop, tokens: AccessTokens | None = None) -> Iterator[str]:
    server = GatewayServer(create_app(engine, tokens=tokens), port=0)
    server.start()
    yield f"http://127.0.0.1:{server.port}/"
    server.stop()


@pytest.fixture(scope="module")
def served_shop() -> Iterator[tuple[MadeShop, str]]:
    shop = MadeShop()
    with served(shop) as url:
        yield shop, url


@pytest.fixture
def shop(served_shop: tuple[MadeShop, str]) -> MadeShop:
    served_shop[0].reset()
    return served_shop[0]


@pytest.fixture
def url(served_shop: tuple[MadeShop, str], shop: MadeShop) -> str:
    return served_shop[1]


@contextmanager
def opened(browser: Browser, *expected: str, **options: object) -> Iterator[Page]:
    """A fresh page; what its console says of errors, and what it asks of other hosts, fails the test.

    Args:
        expected: parts of errors that may be. Chromium itself reports answers that are errors; 404 for the
            picture of an item that has none may always be.
    """
    context = browser.new_context(**{"viewport": WIDE, **options})
    context.set_default_timeout(TIMEOUT_MS)
    page, errors, hosts = context.new_page(), list[str](), set[str]()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} {message.location['url']}")

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2].split(":")[0]))
    yield page
    context.close()
    assert [each for each in errors if not any(part in each for part in ("/image", *expected))] == []
    assert hosts - {"127.0.0.1", ""} == set()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with opened(browser) as page:
        page.goto(url)
        yield page


def tab_to(page: Page, target: Locator, most: int = 60) -> None:
    """Presses Tab until `target` has the focus."""
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {target}")


def shows(page: Page, read: Callable[[Page], list[list[str]]], expected: list[list[str]]) -> None:
    """Waits until what `read` finds begins with what is expected."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while read(page)[: len(expected)] != expected and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert read(page)[: len(expected)] == expected


def tiles(page: Page) -> list[list[str]]:
    """The items' ids and similarities; nothing while results are awaited."""
    return page.locator("main:not(:has([aria-busy])) .tile:visible").evaluate_all(
        "all => all.map(one => ['code', 'b'].map(part => one.querySelector(part)?.textContent))"
    )


def scores(page: Page) -> list[list[str]]:
    """Of each ad its rank, id, probability, recall score and recall rank; nothing while they are awaited."""
    return page.locator("main:not(:has([aria-busy])) .ad:visible").evaluate_all(
        "all => all.map(ad => "
        "['.rank', 'code', 'dd:nth-of-type(1)', 'dd:nth-of-type(2)', 'dd:nth-of-type(3)']"
        ".map(part => ad.querySelector(part).textContent))"
    )


# cos 25°, 50°, 275° and 100°; i03 has no picture.
NEAREST_TO_I00 = [["i01", "0.906"], ["i02", "0.643"], ["i11", "0.087"], ["i04", "−0.174"]]
# Recall's scores are means of two cosines, of i11 (cos 275° + cos 250°) / 2; item n has (n + 1) %.
RANKED = [
    ["1", "i11", "12.0 %", "−0.127", "6th▲ 5"],
    ["2", "i04", "5.00 %", "0.043", "5th▲ 3"],
    ["3", "i03", "4.00 %", "0.451", "4th▲ 1"],
    ["4", "i02", "3.00 %", "0.775", "3rd▼ 1"],
    ["5", "i01", "2.00 %", "0.953", "2nd▼ 3"],
    ["6", "i00", "1.00 %", "0.953", "1st▼ 5"],
]


def test_similar_by_mouse(page: Page) -> None:
    page.get_by_label("Words of a title").fill("blue")
    page.get_by_role("button", name="Search").click()
    shows(page, tiles, [["i08", "1.000"], ["i07", "0.906"], ["i09", "0.906"]])
    expect(page).to_have_url(re.compile("#similar.text=blue$"))
    expect(page.get_by_role("heading", name="12 items nearest to “blue”")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("12 items found, the nearest first.")
    page.get_by_role("link", name="red cup").click()
    expect(page.get_by_role("heading", name="items nearest to “red cup”")).to_be_visible()
    shows(page, tiles, NEAREST_TO_I00)
    page.get_by_label("Compare by").select_option("Title")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("by title, encoder version 6")).to_be_visible()
    # By title i03 is there: cos 75°.
    shows(page, tiles, [["i01", "0.906"], ["i02", "0.643"], ["i03", "0.259"]])
    page.go_back()
    expect(page.get_by_text("by picture, encoder version 5")).to_be_visible()
    shows(page, tiles, NEAREST_TO_I00)


def test_similar_by_keyboard(page: Page) -> None:
    tab_to(page, page.get_by_label("Words of a title"))
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    shows(page, tiles, [["i00", "1.000"]])
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Item")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("i00")
    page.keyboard.press("Enter")
    expect(page.get_by_text("by picture, encoder version 5")).to_be_visible()
    shows(page, tiles, NEAREST_TO_I00)
    tab_to(page, page.get_by_role("link", name="amber cup"))
    page.keyboard.press("Enter")
    # The focus goes on in the new results.
    expect(page.get_by_role("heading", name="items nearest to “amber cup”")).to_be_focused()


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_similar_by_picture(page: Page, way: str) -> None:
    page.locator(".segments").get_by_text("Picture").click()
    field = page.locator("#similar-picture")
    if way == "choose":
        file = FilePayload(name="mine.png", mimeType="image/png", buffer=painted(5))
        field.locator("input").set_input_files(file)
    else:
        give_file(field, way, "image/png", painted(5))
    # The picture of i05 itself, then its neighbors at 25°.
    expect(page.get_by_role("heading", name="nearest to your picture")).to_be_visible()
    shows(page, tiles, [["i05", "1.000"], ["i04", "0.906"], ["i06", "0.906"]])
    expect(field.locator("img")).to_be_visible()


def give_file(field: Locator, way: str, kind: str, data: bytes) -> None:
    """Drops or pastes a file, as the browser would."""
    field.evaluate(
        """(field, [way, kind, data]) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const file = new File([bytes], "mine", { type: kind });
          const given = new DataTransfer();
          given.items.add(file);
          const options = { bubbles: true, cancelable: true };
          field.dispatchEvent(way === "drop" ? new DragEvent("drop", { ...options, dataTransfer: given })
            : new ClipboardEvent("paste", { ...options, clipboardData: given }));
        }""",
        [way, kind, base64.b64encode(data).decode()],
    )


def test_a_file_that_is_no_picture(browser: Browser, url: str) -> None:
    with opened(browser, "/v1/similar") as page:
        page.goto(url)
        give_file(page.locator("#similar-picture"), "drop", "text/plain", b"words")
        alert = page.get_by_role("alert")
        expect(alert).to_have_text("Expected a JPEG, PNG or WebP picture, got text/plain.")
        # This one the gateway alone can tell: the words are those of its answer.
        give_file(page.locator("#similar-picture"), "drop", "image/png", b"no PNG")
        expect(alert).to_contain_text("image: expected a JPEG, PNG or WebP file, got none")


def test_recommend_by_mouse(page: Page) -> None:
    page.get_by_role("tab", name="Recommend").click()
    shows(page, scores, RANKED)
    expect(page.get_by_role("heading", name="6 ads for Sample 1")).to_be_visible()
    expect(page.get_by_text("5.0 ms")).to_be_visible()
    page.get_by_role("button", name="Why rose cup").click()
    why = page.locator(".why:visible")
    # cos 275° to i00 and cos 250° to i01: the tiers of a tenth that begin at 0 and at -0.4.
    pictures, titles = why.locator(".modality").all()
    assert pictures.locator(".number").all_text_contents() == ["0.09", "−0.34"]
    expect(pictures.get_by_role("img")).to_have_accessible_name(
        "Pictures, behaviors by similarity: 1 behavior from −0.40 to −0.30, 1 behavior from 0.00 to 0.10"
    )
    assert [float(bar.get_attribute("x")) for bar in titles.locator("rect").all()] == [
        6 * 21 + 1,
        10 * 21 + 1,
    ]
    expect(page).to_have_url(re.compile("open=i11"))
    page.get_by_role("button", name="Why lime cup").click()
    assert page.locator(".why:visible").count() == 2
    expect(page.locator(".why").nth(2)).to_contain_text("no such content, so it was scored without")

    page.get_by_role("button", name="Remove i01 from the behaviors").click()
    expect(page.get_by_role("heading", name="ads for your own user")).to_be_visible()
    # Recall scores are now the cosines with i00 alone: i11 has cos 275° and is the fifth.
    shows(page, scores, [["1", "i11", "12.0 %", "0.087", "5th▲ 4"]])
    page.get_by_label("Add a behavior by its item ID").fill("i06")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="2 behaviors")).to_be_visible()
    expect(page).to_have_url(re.compile("behaviors=i00%2Ci06"))
    page.get_by_label("User", exact=True).select_option("1")
    expect(page.get_by_role("heading", name="ads for Sample 2")).to_be_visible()
    # Around i06 lie i03 to i09, of which i03 is as near as i09 and comes first.
    assert sorted(each[1] for each in scores(page)) == ["i03", "i04", "i05", "i06", "i07", "i08"]


def test_recommend_by_keyboard(page: Page) -> None:
    tab_to(page, page.get_by_role("tab", name="Similar"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Recommend")).to_be_focused()
    shows(page, scores, RANKED)
    tab_to(page, page.get_by_text("Features"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("age"))
    page.keyboard.press("Control+A")
    page.keyboard.type("44")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ads for your own user")).to_be_visible()
    assert (
        page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('user')")
        == '{"city":"Oslo","age":44}'
    )
    expect(page.get_by_label("age")).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Remove i00 from the behaviors"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="1 behavior")).to_be_visible()
    expect(page.get_by_role("button", name="Remove i01 from the behaviors")).to_be_focused()
    # Next to i01 alone are i00 and i02, at cos 25°.
    tab_to(page, page.get_by_role("button", name="Why amber cup"))
    page.keyboard.press("Enter")
    assert page.locator(".why:visible .number").all_text_contents() == ["0.91", "0.91"]
    expect(page.get_by_role("button", name="Why amber cup")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="2 behaviors")).to_be_visible()


def test_an_item_found_becomes_a_behavior(page: Page) -> None:
    page.get_by_label("Words of a title").fill("sky")
    page.keyboard.press("Enter")
    shows(page, tiles, [["i07", "1.000"]])
    page.get_by_role("button", name="Add sky cup to the user’s behaviors").click()
    expect(page.get_by_role("status")).to_have_text("Added sky cup to the user’s behaviors.")
    page.get_by_role("tab", name="Recommend").click()
    expect(page.get_by_role("button", name="Remove i07 from the behaviors")).to_be_visible()
    expect(page.locator(".ad").first).to_be_visible()
    assert {each[1] for each in scores(page)} >= {"i06", "i07", "i08"}


def fill_new_item(page: Page, title: str, image: bytes, category_id: str = "c2", shop_id: str = "s1") -> str:
    """Fills the form of a new item; returns its id."""
    file = FilePayload(name="new.png", mimeType="image/png", buffer=image)
    page.locator("#add-picture input").set_input_files(file)
    page.get_by_label("Title", exact=True).fill(title)
    page.get_by_label("Category").fill(category_id)
    page.get_by_label("Shop").fill(shop_id)
    return page.get_by_label("Item ID").and_(page.locator(":visible")).input_value()


def test_add_by_mouse(page: Page, shop: MadeShop) -> None:
    page.get_by_role("tab", name="Add item").click()
    expect(page.get_by_label("Then rank it for")).to_have_value("0")
    item_id = fill_new_item(page, "a new teal cup", painted(5))
    page.get_by_role("button", name="Add item").click()
    way = page.get_by_role("list", name=f"The way of {item_id}")
    expect(way.locator(".reached .name")).to_have_text(["Queued", "Encoded", "Searchable", "Recallable"])
    seconds = [float(text.removesuffix(" s")) for text in way.locator("b").all_text_contents()]
    # The shop takes 0.2, 0.3 and 0.4 s; the page looks every 0.15 s.
    assert seconds == sorted(seconds) and 0.2 <= seconds[1] and 0.4 <= seconds[3] < 3
    put = shop.puts[-1]
    assert (put.item_id, put.title, put.category_id, put.shop_id) == (item_id, "a new teal cup", "c2", "s1")
    assert put.image == painted(5)
    # It stands where i05 does: 6 %, before i04, and recall has six others.
    expect(page.get_by_role("heading", name="Ranked for Sample 1")).to_be_visible()
    shows(page, scores, [["2", item_id, "6.00 %", "–", "not recalled"]])
    assert page.locator(".why:visible .number").count() == 4
    shows(page, tiles, [["i05", "1.000"]])
    page.get_by_role("link", name="Find similar").click()
    expect(page.get_by_role("heading", name="nearest to “a new teal cup”")).to_be_visible()


def test_add_by_keyboard(page: Page, shop: MadeShop) -> None:
    tab_to(page, page.get_by_role("tab", name="Similar"))
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Add item")).to_be_focused()
    expect(page.get_by_label("Then rank it for")).to_have_value("0")
    for label, text in (("Title", "only words"), ("Category", "c9"), ("Shop", "s9")):
        tab_to(page, page.get_by_label(label, exact=True).and_(page.locator(":visible")))
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is recallable, after")
    assert (shop.puts[-1].title, shop.puts[-1].image) == ("only words", None)
    expect(page.get_by_role("heading", name="Its nearest items")).to_be_visible()


def test_an_item_that_cannot_be_encoded(page: Page) -> None:
    page.goto(f"{page.url}#add")
    fill_new_item(page, "spoiled", painted(5))
    page.get_by_role("button", name="Add item").click()
    expect(page.get_by_role("alert")).to_contain_text("It cannot be encoded: unreadable_image.")
    expect(page.locator(".failed .name")).to_have_text("Encoded")


def test_titles_are_text(page: Page) -> None:
    expect(page.get_by_role("heading", name=UNSAFE_TITLE)).to_be_visible()
    page.goto(f"{page.url}#similar?item=i01")
    expect(page.get_by_role("heading", name=f"nearest to “{UNSAFE_TITLE}”")).to_be_visible()
    page.get_by_role("tab", name="Recommend").click()
    expect(page.get_by_role("heading", name=UNSAFE_TITLE)).to_be_visible()
    assert page.locator("main img[src=x]").count() == 0
    assert page.title() == "Recommend · Adlens inspector"


def test_a_degraded_answer(page: Page, shop: MadeShop) -> None:
    shop.degraded = ["ranking", "embeddings"]
    page.get_by_role("tab", name="Recommend").click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("The click model did not answer: the ads are in recall’s order")
    expect(notice).to_contain_text("scored without pictures and titles")
    expect(page.get_by_role("status")).to_have_text("6 ads ranked, degraded.")
    # Recall's order: i00 and i01 are equally near.
    assert [each[:3] for each in scores(page)][:2] == [["1", "i00", "–"], ["2", "i01", "–"]]
    shop.degraded = []
    page.get_by_role("button", name="Rank ads").click()
    expect(notice).to_have_count(0)
    shows(page, scores, RANKED)


def test_token(browser: Browser, shop: MadeShop) -> None:
    tokens = AccessTokens(["right-token-of-many-letters"])
    with served(shop, tokens) as url, opened(browser, "401 (Unauthorized)") as page:
        page.goto(url)
        token = page.get_by_label("This gateway asks for an API token")
        expect(page.get_by_text("token needed")).to_be_visible()
        token.fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The gateway refused the token")).to_be_visible()
        token.fill("right-token-of-many-letters")
        page.keyboard.press("Enter")
        expect(page.locator(".tile")).to_have_count(12)
        expect(token).to_be_hidden()
        expect(page.locator(".tile img").first).to_have_js_property("naturalWidth", 8)
        expect(page.locator("#status")).to_contain_text("ready")
        assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
        page.reload()
        expect(page.locator(".tile")).to_have_count(12)


def test_errors_say_what_to_do(browser: Browser, url: str) -> None:
    with opened(browser, "/v1/") as page:
        alert = page.get_by_role("alert").and_(page.locator(".notice"))
        page.goto(f"{url}#similar?item=nowhere")
        expect(alert).to_have_text("there is no item 'nowhere'.")
        page.goto(f"{url}#recommend?user=%7B%22town%22%3A1%7D&behaviors=i00")
        expect(alert).to_have_text("request.user has an unknown feature 'town'; did you mean 'city'?")

        busy = {"status": 503, "headers": {"Retry-After": "7"}, "json": {"error": "the queue is full"}}
        page.route("**/v1/similar", lambda route: route.fulfill(**busy))
        page.goto(f"{url}#similar?text=red")
        expect(alert).to_contain_text("the queue is full. Try again in 7 s.")
        page.unroute("**/v1/similar")
        page.route("**/v1/**", lambda route: route.abort())
        page.get_by_role("button", name="Try again").click()
        expect(alert).to_contain_text("The gateway cannot be reached. Check that it runs, then try again.")
        page.unroute("**/v1/**")
        page.get_by_role("button", name="Try again").click()
        shows(page, tiles, [["i00", "1.000"]])


def test_an_outdated_answer_is_not_shown(page: Page) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        route.continue_() if held else held.append(route)

    page.route("**/v1/similar", hold_first)
    words = page.get_by_label("Words of a title")
    words.fill("blue")
    with page.expect_event("requestfailed") as outdated:
        page.keyboard.press("Enter")
        expect(page.locator("#similar-results")).to_have_attribute("aria-busy", "true")
        words.fill("red")
        page.keyboard.press("Enter")
        shows(page, tiles, [["i00", "1.000"]])
    assert outdated.value.post_data_json == {"text": "blue", "k": 24}


def test_the_page_is_there_before_the_api(browser: Browser, url: str) -> None:
    with opened(browser) as page:
        page.route("**/v1/**", lambda route: None)
        page.goto(url, wait_until="load")
        expect(page.get_by_role("button", name="Search")).to_be_visible()
        page.get_by_role("tab", name="Add item").click()
        expect(page.get_by_role("button", name="Add item")).to_be_visible()


VIEWS = {
    "similar": "#similar?item=i00",
    "recommend": "#recommend?sample=0&open=i11&also=i08",
    "add": "#add?item=i05&sample=0",
}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_reads_well(browser: Browser, url: str, shop: MadeShop, view: str) -> None:
    """At 360 pixels nothing is cut off; names, headings and contrasts are right in light and dark."""
    shop.rename("i02", "a-very-long-word-without-any-place-to-break-it-" * 4)
    with opened(browser, viewport=NARROW) as page:
        page.goto(url + VIEWS[view])
        for locator in (page.locator(".tile, .ad").first, page.locator("#status summary")):
            expect(locator).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        page.evaluate(
            "document.querySelectorAll('[data-by], details').forEach((one) => "
            "Object.assign(one, { hidden: false, open: true }))"
        )
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT_TEXTS) == []
        for width in (NARROW, WIDE):
            page.set_viewport_size(width)
            assert page.evaluate("document.documentElement.scrollWidth") == width["width"]
        assert nameless(page) == []
        levels = page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3, h4')].filter((one) => one.checkVisibility())"
            ".map((one) => Number(one.tagName[1]))"
        )
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


# Texts whose color has a contrast below 4.5 to the nearest background (WCAG 2.2, 1.4.3).
FAINT_TEXTS = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (value) => (value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const weights = [0.2126, 0.7152, 0.0722];
  const luminance = (color) => weights.reduce((sum, weight, at) => sum + weight * linear(color[at]), 0);
  const background = (element) => {
    const color = channels(getComputedStyle(element).backgroundColor);
    return color.length === 4 && color[3] === 0 ? background(element.parentElement) : color;
  };
  const hasText = (element) => [...element.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
  const shown = [...document.querySelectorAll("body *")].filter((one) => hasText(one) && one.checkVisibility());
  return shown.map((one) => {
    const { color, fill } = getComputedStyle(one);
    const [a, b] = [channels(one instanceof SVGElement ? fill : color), background(one)].map(luminance);
    return [one.outerHTML.slice(0, 80), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  }).filter(([, contrast]) => contrast < 4.5);
}"""


def nameless(page: Page) -> list[str]:
    """The roles of controls and pictures that a screen reader could not name."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    controls = {
        "button",
        "textbox",
        "searchbox",
        "combobox",
        "spinbutton",
        "radio",
        "tab",
        "link",
        "image",
        "img",
    }
    seen = [node for node in nodes if not node["ignored"] and node["role"]["value"] in controls]
    assert len(seen) > 10
    return [node["role"]["value"] for node in seen if not node.get("name", {}).get("value", "").strip()]


@pytest.fixture(scope="module")
def real_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gateway over a model server, stores and an encoder service; its address."""
    folder = tmp_path_factory.mktemp("gateway")
    root, stopping = folder / "serving", threading.Event()
    online_models.push_all(root)
    with ExitStack() as stack:
        index = LmdbEmbeddingIndex(folder / "index", max_bytes=1 << 26)
        items = LmdbItemStore(folder / "items", max_bytes=1 << 26)
        stack.callback(index.close)
        stack.callback(items.close)
        online_models.fill_stores(index, items)
        queue = SqliteItemQueue(folder / "queue.db")
        server = stack.enter_context(running(online_models.server_models(root)))
        channel = stack.enter_context(open_channel(f"127.0.0.1:{server.server.grpc_port}"))
        workers = Workers(queue, index, channel, EncoderServiceConfig(workers=1, poll_seconds=0.02))
        encoding = threading.Thread(target=workers.run, args=(stopping,))
        encoding.start()
        stack.callback(encoding.join)
        stack.callback(stopping.set)
        seconds = {
            f"{part}_timeout_seconds": 15.0
            for part in ("request", "recall", "reorder", "rank", "encode", "store")
        }
        engine = Engine(GatewayConfig(**seconds), root, ModelClient(channel, 0.2), index, items, queue)
        engine.start()
        stack.callback(engine.stop)
        while engine.readiness() or engine.status()["searchable"] != {"image": 5, "text": 5}:
            time.sleep(0.02)
        yield stack.enter_context(served(engine))


def test_with_real_models(browser: Browser, real_gateway: str) -> None:
    """Similar by words, ads for the sample user, and a new item, with the numbers that the models give."""
    shop, behaviors = online_models.SHOP, online_models.SHOP[:2]
    with opened(browser) as page:
        page.goto(f"{real_gateway}#similar?text=red+blue")
        # i3 has both words; "red shoe" one of them: 1 / √2.
        shows(page, tiles, [["i3", "1.000"], ["i0", "0.707"]])

        page.get_by_role("tab", name="Recommend").click()
        expected = {each.item_id: online_models.click_probability(each, behaviors, "f") for each in shop}
        expect(page.locator(".ad").first).to_be_visible()
        found = {each[1]: float(each[2].removesuffix(" %")) / 100 for each in scores(page)}
        assert found == pytest.approx(expected, abs=1e-3)

        page.get_by_role("tab", name="Add item").click()
        expect(page.get_by_label("Then rank it for")).to_have_value("0")
        new = online_models.ShopItem("n0", "c0", "s0", "green blue", online_models.MAGENTA)
        fill_new_item(page, new.title, new.image, new.category_id, new.shop_id)
        page.get_by_role("button", name="Add item").click()
        expect(page.get_by_role("heading", name="Ranked for Sample 1")).to_be_visible()
        assert page.locator(".reached").count() == 4
        # i3 has the same color; white has red and blue too: 2 / (√2 √3).
        shows(page, tiles, [["i3", "1.000"], ["i5", "0.816"]])
        (ranked,) = scores(page)
        probability = online_models.click_probability(new, behaviors, "f")
        assert float(ranked[2].removesuffix(" %")) / 100 == pytest.approx(probability, abs=1e-3)
