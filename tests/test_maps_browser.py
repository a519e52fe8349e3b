"""The pages of landplan.maps as seen: in a browser with the network dead, used as a person would use them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from lists_world import list_assessment
from maps_world import HOSTILE, make_assessment
from playwright.sync_api import Browser, Page, sync_playwright
from pyproj import Transformer

from landplan.maps import MapPage, draw_map
from landplan.maps.lists import LISTS

SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield opened
        opened.close()


@dataclass
class Seen:
    """What a page did while it was open."""

    page: Page
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def nothing_happened(self) -> None:
        assert self.requests == []
        assert self.messages == []
        assert self.page.evaluate("typeof window.__pwned") == "undefined"

    def legend(self, key: str) -> tuple[int, float]:
        row = self.page.locator(f'#lp-legend [data-key="{key}"]')
        count, mu = row.locator(".lp-count").inner_text(), row.locator(".lp-mu").inner_text()
        return int(count), float(mu.replace(",", ""))


@pytest.fixture
def visit(browser: Browser, tmp_path) -> Iterator[Any]:
    contexts = []

    def go(made: MapPage, place: str = "", size: tuple[int, int] = (1366, 768)) -> Seen:
        file = made.save(tmp_path / "map.html")
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, offline=True)
        contexts.append(context)
        page = context.new_page()
        seen = Seen(page)

        def watch(route: Any) -> None:
            url = route.request.url
            if url == file.as_uri() or url.startswith(file.as_uri() + "#"):
                route.continue_()
            else:
                seen.requests.append(url)
                route.abort()

        page.route("**/*", watch)
        page.on("console", lambda message: seen.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.messages.append(f"error: {error}"))
        page.on(
            "dialog", lambda dialog: (seen.messages.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        page.goto(file.as_uri() + place)
        page.wait_for_function("window.landplan !== undefined")
        return seen

    yield go
    for context in contexts:
        context.close()


def click_at(page: Page, lon: float, lat: float) -> None:
    point = page.evaluate(
        "([lat, lon]) => { const p = landplan.map.latLngToContainerPoint([lat, lon]); return [p.x, p.y]; }",
        [lat, lon],
    )
    frame = page.locator(".folium-map").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + point[0], frame["y"] + point[1])
    page.mouse.click(frame["x"] + point[0], frame["y"] + point[1])


def middle_of(parcel: str) -> tuple[float, float]:
    frame = make_assessment().parcels.to_crs(4490)
    point = frame.geometry.loc[parcel].representative_point()
    return point.x, point.y


def test_both_views_open_with_the_network_dead_and_complain_of_nothing(visit):
    for view in ("planner", "investor"):
        seen = visit(draw_map(make_assessment(), view))
        seen.page.mouse.wheel(0, -300)
        seen.page.wait_for_timeout(300)
        seen.nothing_happened()
        assert seen.page.title().startswith("示例经济技术开发区")
        assert seen.page.locator("#lp-sample").is_visible()


def test_the_legend_on_the_screen_says_what_the_data_hold(visit):
    assessment = make_assessment()
    seen = visit(draw_map(assessment))
    for name, prefix in (("verdict", "verdict"), ("supply_class", "supply")):
        for code, part in assessment.parcels.groupby(name):
            count, mu = seen.legend(f"{prefix}.{code}")
            assert count == len(part)
            assert mu == pytest.approx(part["area_m2"].sum() * 3 / 2000, abs=0.005)
    count, mu = seen.legend("total")
    assert (count, mu) == (12, pytest.approx(assessment.parcels["area_m2"].sum() * 3 / 2000, abs=0.005))


def test_a_click_on_a_parcel_opens_its_reasons(visit):
    seen = visit(draw_map(make_assessment()))
    click_at(seen.page, *middle_of("A-2"))
    detail = seen.page.locator("#lp-detail")
    assert detail.is_visible()
    text = detail.inner_text()
    assert "编号 A-2" in text and "暂不具备" in text and "存量暂不可出让" in text
    assert "不达标：固定资产投资强度 149.93 万元/亩，要求不低于 150 万元/亩（差 0.07" in text
    assert seen.page.url.endswith("#A-2")
    seen.nothing_happened()


def test_the_address_opens_a_parcel_also_one_with_signs_in_its_number(visit):
    assessment = make_assessment(hostile=True)
    number = assessment.parcels.index[7]
    assert "<script>" in number
    seen = visit(draw_map(assessment), "#" + quote(number))
    assert number in seen.page.locator("#lp-detail .lp-id").inner_text()
    seen.page.evaluate("location.hash = '#A-1'")
    seen.page.wait_for_function("document.querySelector('#lp-detail .lp-id').textContent === '编号 A-1'")
    seen.nothing_happened()


def test_a_search_by_part_of_a_name_finds_and_enter_opens(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("保税")
    assert seen.page.locator("#lp-list button").count() == 1
    assert "找到 1 宗" in seen.page.locator("#lp-hits").inner_text()
    seen.page.keyboard.press("Enter")
    assert "综合保税区一号地" in seen.page.locator("#lp-detail h2").inner_text()
    seen.nothing_happened()


def test_an_exact_number_comes_before_a_longer_one(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.fill("#lp-query", "ａ-2")
    assert seen.page.locator("#lp-list b").all_inner_texts() == ["A-2", "A-21"]
    seen.page.press("#lp-query", "Enter")
    assert seen.page.locator("#lp-detail .lp-id").inner_text() == "编号 A-2"


def test_a_search_waits_while_pinyin_is_being_typed(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.evaluate(
        """() => {
        const box = document.getElementById("lp-query");
        box.focus();
        box.dispatchEvent(new CompositionEvent("compositionstart"));
        box.value = "bao";
        box.dispatchEvent(new InputEvent("input", { isComposing: true, bubbles: true }));
        box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true }));
        }"""
    )
    assert seen.page.locator("#lp-list button").count() == 12
    assert not seen.page.locator("#lp-detail").is_visible()
    seen.page.evaluate(
        """() => {
        const box = document.getElementById("lp-query");
        box.value = "保税";
        box.dispatchEvent(new CompositionEvent("compositionend"));
        }"""
    )
    assert seen.page.locator("#lp-list button").count() == 1


def colour(page: Page, parcel: str) -> tuple[int, int, int]:
    lon, lat = middle_of(parcel)
    return tuple(
        page.evaluate(
            """([lat, lon]) => {
            const p = landplan.map.latLngToContainerPoint([lat, lon]), sheet = document.querySelector(".leaflet-parcels-pane canvas");
            const at = sheet.getBoundingClientRect(), map = landplan.map.getContainer().getBoundingClientRect(), dense = sheet.width / at.width;
            const x = (p.x + map.left - at.left) * dense, y = (p.y + map.top - at.top) * dense;
            return Array.from(sheet.getContext("2d").getImageData(Math.round(x) + 12, Math.round(y) + 22, 1, 1).data);
            }""",
            [lat, lon],
        )
    )


def test_a_supply_class_can_be_switched_off_and_on(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.wait_for_timeout(200)
    assert colour(seen.page, "A-1")[3] > 100
    box = seen.page.locator('input[data-layer="supply.stock"]')
    box.uncheck()
    seen.page.wait_for_timeout(200)
    assert colour(seen.page, "A-1")[3] == 0
    assert colour(seen.page, "B-1")[3] > 100
    click_at(seen.page, *middle_of("A-1"))
    assert not seen.page.locator("#lp-detail").is_visible()
    box.check()
    seen.page.wait_for_timeout(200)
    assert colour(seen.page, "A-1")[3] > 100
    # Reading pixels back is what this test does, not what the page does.
    seen.messages = [message for message in seen.messages if "readback" not in message]
    seen.nothing_happened()


def test_every_layer_can_be_switched_off_without_complaint(visit):
    seen = visit(draw_map(make_assessment()))
    boxes = seen.page.locator("#lp-legend input")
    assert boxes.count() == 6 + 1 + 3 + 1 + 1
    for at in range(boxes.count()):
        boxes.nth(at).uncheck()
    seen.page.wait_for_timeout(200)
    seen.nothing_happened()


def test_no_hostile_name_runs_wherever_it_is_shown(visit):
    for view in ("planner", "investor"):
        seen = visit(draw_map(make_assessment(hostile=True), view))
        page = seen.page
        shown = 0
        for at in range(page.locator("#lp-list button").count()):
            page.locator("#lp-list button").nth(at).click()
            for summary in page.locator("#lp-detail summary").all():
                summary.click()
            shown += sum(payload in page.locator("#lp-detail").text_content() for payload in HOSTILE)
            page.locator("#lp-back").click()
        assert shown > 10
        for payload in HOSTILE:
            page.fill("#lp-query", payload)
        page.fill("#lp-query", "")
        for lon, lat in (middle_of("A-1"), middle_of("A-3")):
            click_at(page, lon, lat)
        page.wait_for_timeout(200)
        assert (
            page.evaluate("document.querySelectorAll('img, iframe, object, [onerror], [onload]').length") == 0
        )
        seen.nothing_happened()


def test_the_policy_stops_a_script_the_page_does_not_know(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.__pwned = 1'; document.body.append(s); }"
    )
    seen.page.evaluate(
        "() => { document.body.insertAdjacentHTML('beforeend', '<p onclick=\"window.__pwned=1\" id=bad>x</p>'); document.getElementById('bad').click(); }"
    )
    assert seen.page.evaluate("typeof window.__pwned") == "undefined"
    assert all("Content Security Policy" in message for message in seen.messages) and seen.messages


def test_the_grid_of_the_page_agrees_with_proj(visit):
    seen = visit(draw_map(make_assessment()))
    plane = Transformer.from_crs(4547, 4490, always_xy=True)
    for easting, northing in ((470_500.0, 4_174_000.0), (471_234.5, 4_173_987.6)):
        lon, lat = plane.transform(easting, northing)
        found = seen.page.evaluate("([e, n]) => landplan.place(e, n)", [easting, northing])
        assert found == [pytest.approx(lat, abs=1e-7), pytest.approx(lon, abs=1e-7)]


def test_a_parcel_without_a_shape_is_found_and_said_to_have_none(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.fill("#lp-query", "E-2")
    assert "无图形" in seen.page.locator("#lp-list small").inner_text()
    seen.page.press("#lp-query", "Enter")
    assert "无图形" in seen.page.locator("#lp-detail").inner_text()
    seen.nothing_happened()


@pytest.mark.parametrize(("rows", "view"), [([1, 3], "investor"), ([], "planner"), ([], "investor")])
def test_an_empty_page_is_deliberate(visit, rows, view):
    seen = visit(draw_map(make_assessment(rows=rows), view))
    assert "没有" in seen.page.locator("#lp-notice").inner_text()
    assert seen.legend("total") == (0, 0.0)
    seen.nothing_happened()


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (900, 640)])
def test_nothing_is_cut_off_and_no_panel_covers_the_map(visit, size):
    seen = visit(draw_map(make_assessment()), "#A-2", size)
    boxes = {
        name: seen.page.locator(name).bounding_box()
        for name in ("#lp-main", "#lp-legend", "#lp-panel", "#lp-head", "#lp-source")
    }
    for box in boxes.values():
        assert box is not None
        assert box["x"] >= 0 and box["y"] >= 0
        assert box["x"] + box["width"] <= size[0] + 0.5 and box["y"] + box["height"] <= size[1] + 0.5
    plan = boxes["#lp-main"]
    assert plan["width"] >= 0.5 * size[0]
    for name in ("#lp-legend", "#lp-panel", "#lp-head", "#lp-source"):
        box = boxes[name]
        apart = (
            box["x"] + box["width"] <= plan["x"] + 0.5
            or box["x"] >= plan["x"] + plan["width"] - 0.5
            or box["y"] + box["height"] <= plan["y"] + 0.5
            or box["y"] >= plan["y"] + plan["height"] - 0.5
        )
        assert apart, name
    assert seen.page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight"
    )


def test_paper_is_one_sheet_of_a4_landscape_with_map_and_legend(visit):
    seen = visit(draw_map(make_assessment()))
    pdf = seen.page.pdf(prefer_css_page_size=True, print_background=True)
    assert pdf.count(b"/Type /Page\n") == 1
    box = pdf.split(b"/MediaBox [")[1].split(b"]")[0].split()
    assert (round(float(box[2])), round(float(box[3]))) == (842, 595)
    assert seen.page.locator("#lp-paper svg path").count() > 30
    assert "比例尺约 1:" in seen.page.locator("#lp-scale").text_content()
    seen.page.emulate_media(media="print")
    assert seen.page.locator("#lp-legend").is_visible() and seen.page.locator("#lp-paper").is_visible()
    assert not seen.page.locator("#lp-panel").is_visible() and not seen.page.locator("#lp-print").is_visible()
    seen.nothing_happened()


def test_the_scale_on_paper_is_that_of_the_ground(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    words = seen.page.locator("#lp-scale").text_content()
    said = int(words.split("1:")[1].split("（")[0].replace(" ", ""))
    plane = Transformer.from_crs(4490, 4547, always_xy=True)
    a, b = (
        seen.page.evaluate(
            """k => { const box = document.querySelector("#lp-paper svg").viewBox.baseVal;
            const p = landplan.map.containerPointToLatLng([box.x + k * box.width, box.y + box.height / 2]); return [p.lng, p.lat]; }""",
            k,
        )
        for k in (0, 1)
    )
    ground = abs(plane.transform(*b)[0] - plane.transform(*a)[0])
    assert said == pytest.approx(ground / 0.218, rel=0.06)


def test_a_notebook_shows_the_map_in_its_frame(browser, tmp_path):
    file = tmp_path / "notebook.html"
    file.write_text(
        f"<!DOCTYPE html><meta charset=utf-8>{draw_map(make_assessment())._repr_html_()}", encoding="utf-8"
    )
    context = browser.new_context(offline=True)
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(file.as_uri())
    inside = page.frame_locator("iframe")
    inside.locator("#lp-list button").first.click()
    assert "编号 A-1" in inside.locator("#lp-detail").inner_text()
    assert messages == []
    context.close()


def test_the_picture_is_not_blank(visit):
    seen = visit(draw_map(make_assessment()))
    seen.page.wait_for_timeout(200)
    picture = seen.page.locator("#lp-main").screenshot()
    colours = seen.page.evaluate(
        """async data => { const image = new Image(); image.src = "data:image/png;base64," + data; await image.decode();
        const sheet = document.createElement("canvas"); sheet.width = image.width; sheet.height = image.height;
        const pen = sheet.getContext("2d"); pen.drawImage(image, 0, 0); const all = pen.getImageData(0, 0, image.width, image.height).data;
        const found = new Set(); for (let i = 0; i < all.length; i += 4) { found.add((all[i] << 16) | (all[i + 1] << 8) | all[i + 2]); } return found.size; }""",
        base64.b64encode(picture).decode(),
    )
    assert colours > 100


@pytest.mark.parametrize("view", [*LISTS, "register:capacities"])
def test_a_list_opens_with_the_network_dead_and_its_legend_adds_up_on_the_screen(visit, view):
    seen = visit(draw_map(list_assessment(), view))
    chooser = seen.page.locator("#lp-theme")
    ways = chooser.locator("option").count() if chooser.count() else 1
    for way in range(ways):
        if ways > 1:
            chooser.select_option(str(way))
        rows = [
            row
            for row in seen.page.locator('#lp-legend [data-key^="class."]').all()
            if row.locator(".lp-count").count()
        ]
        counts = [int(row.locator(".lp-count").inner_text()) for row in rows]
        total = seen.page.locator('#lp-legend [data-key="total"]')
        assert sum(counts) == int(total.locator(".lp-count").inner_text())
        if view != "register:capacities":
            areas = [round(float(row.locator(".lp-mu").inner_text().replace(",", "")) * 100) for row in rows]
            assert sum(areas) == round(float(total.locator(".lp-mu").inner_text().replace(",", "")) * 100)
    seen.nothing_happened()


def test_another_way_to_colour_a_list_changes_the_map_the_panel_and_the_switches(visit):
    seen = visit(draw_map(list_assessment(), "stock"), "#C-1")
    verdict = seen.page.locator("#lp-detail .lp-verdict b")
    assert verdict.inner_text() == "不在清单"
    seen.page.wait_for_timeout(200)
    before = colour(seen.page, "C-1")
    seen.page.locator('input[data-layer="class.0"]').uncheck()
    seen.page.select_option("#lp-theme", label="全部存量：按存量类型")
    assert verdict.inner_text() == "供而未用"
    assert seen.page.locator('input[data-layer="class.0"]').is_checked()
    seen.page.wait_for_timeout(200)
    assert colour(seen.page, "C-1") != before
    seen.page.locator('input[data-layer="class.2"]').uncheck()
    seen.page.wait_for_timeout(200)
    assert colour(seen.page, "C-1")[3] == 0 and colour(seen.page, "A-1")[3] > 100
    seen.messages = [message for message in seen.messages if "readback" not in message]
    seen.nothing_happened()


def test_what_the_list_says_comes_first_in_the_panel_and_its_parcels_first_in_the_row(visit):
    seen = visit(draw_map(list_assessment(), "readiness"), "#A-21")
    heads = seen.page.locator("#lp-detail h3").all_inner_texts()
    assert heads[0] == "用地清单（2）" and heads[1] == "判定理由"
    assert seen.page.locator("#lp-detail h4").all_inner_texts() == ["收储", "通电"]
    seen = visit(draw_map(list_assessment(), "buildings"))
    assert seen.page.locator("#lp-list b").all_inner_texts()[:3] == ["C-1", "C-2", "A-1"]
    assert "空置 7,000 ㎡" in seen.page.locator("#lp-list small").first.inner_text()
    assert "列入 2 宗，共 12 宗" in seen.page.locator("#lp-hits").inner_text()


def test_a_click_beside_every_parcel_opens_the_zone_a_register_is_of(visit):
    seen = visit(draw_map(list_assessment(), "register:capacities"))
    plane = Transformer.from_crs(4547, 4490, always_xy=True)
    click_at(seen.page, *plane.transform(471_000.0, 4_173_500.0))
    assert seen.page.locator("#lp-detail .lp-id").inner_text() == "编号 EX01"
    assert "示例二站" in seen.page.locator("#lp-detail").inner_text()
    click_at(seen.page, *middle_of("A-1"))
    assert seen.page.locator("#lp-detail .lp-id").inner_text() == "编号 A-1"
    seen.nothing_happened()


@pytest.mark.parametrize("view", [*LISTS, "register:batches", "register:capacities"])
def test_no_hostile_word_of_a_list_runs(visit, view):
    seen = visit(draw_map(list_assessment(hostile=True), view))
    page = seen.page
    for at in range(page.locator("#lp-list button").count()):
        page.locator("#lp-list button").nth(at).click()
        page.locator("#lp-back").click()
    click_at(page, *middle_of("A-1"))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_timeout(100)
    assert page.evaluate("document.querySelectorAll('img, iframe, object, [onerror], [onload]').length") == 0
    seen.nothing_happened()


def test_a_list_on_paper_is_one_sheet_that_names_what_is_coloured(visit):
    seen = visit(draw_map(list_assessment(), "capacity"))
    pdf = seen.page.pdf(prefer_css_page_size=True, print_background=True)
    assert pdf.count(b"/Type /Page\n") == 1
    seen.page.emulate_media(media="print")
    assert not seen.page.locator("#lp-theme").is_visible()
    assert seen.page.locator("#lp-legend h2").first.is_visible()
    assert seen.page.locator("#lp-legend h2").first.inner_text() == "最紧的一项要素"
