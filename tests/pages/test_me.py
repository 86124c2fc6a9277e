"""The patient's pages: calm, offline, in two languages, and never a computed probability or advice."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pages import site
from redcell.clinic import messages, releases
from redcell.clinic.releases import Release
from redcell.outputs.readability import read
from redcell.outputs.readability_es import FAIRLY_EASY, inflesz
from redcell.web.pages.me import form
from redcell.web.pages.me.view import TITLES

PATHS = (
    "/me",
    "/me/report",
    "/me/counts",
    "/me/learn",
    "/me/learn/iron-and-food",
    "/me/learn/what-anemia-is",
    "/me/messages",
    "/me/call",
)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
KILOBYTE = 1024
FOLDER = Path(form.__file__).parent
SPANISH = tomllib.loads((FOLDER.parent / "translations" / "es.toml").read_text(encoding="utf-8"))


def joy(look, path="/me", lang="en", **more):
    page = look("", "joy", **{"width": 390, "height": 844} | more)
    page.context.add_cookies([{"name": "redcell-language", "value": lang, "url": look.address}])
    page.goto(look.address + path)
    return page


def reports(clinic):
    with clinic.database.read() as connection:
        return [i for i in messages.items(connection, ["okafor"]) if i.kind == messages.REPORT]


# -- what everybody can use ------------------------------------------------------------------------


@pytest.mark.trust("U3", "X1")
@pytest.mark.parametrize("path", PATHS)
def test_large_print_and_forced_colors(look, axe, path):
    page = joy(look, path, forced_colors="active")
    page.get_by_role("link", name="Larger print").click()
    assert "large" in page.locator("body").get_attribute("class")
    assert page.evaluate(SIDEWAYS) <= 0
    assert axe(page) == []


@pytest.mark.trust("U3")
def test_the_page_prints_on_one_sheet(look):
    page = joy(look, width=800)
    for size in ("Letter", "A4"):
        pdf = page.pdf(format=size)
        assert len(re.findall(rb"/Type\s*/Page[^s]", pdf)) == 1


@pytest.mark.trust("U8")
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_light(look, path):
    page = look(path, "joy", width=390, height=844)
    kinds = "['navigation', 'resource'].flatMap(k => performance.getEntriesByType(k))"
    page.wait_for_load_state("load")
    size = page.evaluate(f"{kinds}.map(e => e.decodedBodySize).reduce((a, b) => a + b, 0)")
    assert 0 < size <= 60 * KILOBYTE


@pytest.mark.trust("U8")
def test_usable_on_a_slow_phone(work):
    page = work("", "joy", width=390, height=844)
    wire = page.context.new_cdp_session(page)
    wire.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 400,
            "downloadThroughput": 50_000,
            "uploadThroughput": 50_000,
        },
    )
    page.goto(work.address + "/me/report", wait_until="domcontentloaded")
    page.get_by_text("When I climb stairs").click()
    page.locator("#q6").get_by_role("button", name="Send").click()
    page.wait_for_url("**/me/report/*")
    assert len(reports(work.clinic)) == 1


# -- telling the team ------------------------------------------------------------------------------


@pytest.mark.trust("S7.1", "S2.1")
@pytest.mark.parametrize("js", [True, False])
def test_a_report_reaches_the_inbox_and_the_record(work, js):
    page = joy(work, "/me/report", js=js)
    page.get_by_text("When I climb stairs").click()
    page.locator("label[for=d-none]").click()
    page.locator("label[for=s-fatigue-2]").click()
    page.locator("label[for=c-fatigue-worse]").click()
    page.locator("label[for=s-dizziness-0]").click()
    page.locator("#note").fill(site.EVIL)
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/me/report/*")
    assert page.get_by_role("heading", name="Your report was sent").is_visible()
    (item,) = reports(work.clinic)
    assert item.pressure == "ordinary"
    assert "fatigue 2 (worse)" in item.text
    site.assess(work.clinic, "okafor", site.clock.now())
    with work.clinic.database.read() as connection:
        from redcell.store import assessments

        out = assessments.newest(connection, "okafor")
    assert b'"symptom":"fatigue","grade":2' in out.body


@pytest.mark.trust("U2", "X7")
def test_by_keyboard_alone(work):
    page = joy(work, "/me/report", width=1280)
    page.locator("#breath-none").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.locator("#s-headache-0").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#q6 button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/report/*")
    assert "headache 1" in reports(work.clinic)[0].text


@pytest.mark.trust("U4", "H4.4")
@pytest.mark.parametrize(
    ("answer", "pressure"),
    [
        ("label[for=breath-rest]", "emergency"),
        ("label[for=d-chest-pain]", "emergency"),
        ("label[for=d-fever]", "now"),
        ("label[for=s-palpitations-2]", "now"),
        ("label[for=s-headache-4]", "emergency"),
    ],
)
def test_a_red_flag_is_answered_by_a_call_text(work, answer, pressure):
    page = joy(work, "/me/report", js=False)
    page.locator(answer).click()
    page.get_by_role("button", name="Send").click()
    said = page.locator("main .callnow").inner_text()
    assert ("911" in said) == (pressure == "emergency")
    assert site.PHONE in said
    assert "Your team may not see it right away." in page.locator("main").inner_text()
    assert reports(work.clinic)[0].pressure == pressure


RED = [(f"d-{symptom}", symptom, grade) for symptom, _, grade in form.DANGER]
RED += [(f"breath-{value}", a[0][0], a[0][1]) for value, _, a in form.BREATH]
RED += [(f"s-{s}-{g}", s, g) for _, group in form.GRADED for s in group for g in range(5)]


@pytest.mark.trust("U4", "X9", "P8", "H4.1")
@pytest.mark.parametrize("js", [True, False])
def test_every_red_flag_shows_its_call_text_with_the_server_gone(chromium, own, js):
    clinic, _ = own
    with site.served(clinic) as address:
        context = chromium.new_context(
            java_script_enabled=js, viewport={"width": 390, "height": 844}
        )
        value = site.sign_in(clinic, "joy")
        context.add_cookies([{"name": "redcell", "value": value, "url": address}])
        page = context.new_page()
        page.goto(address + "/me/report")
    calls = form.calls(clinic.basis().knowledge)
    shown = 0
    for field, symptom, grade in RED:
        box = page.locator(f"#{field}")
        section = page.locator("section", has=box)
        page.locator(f"label[for={field}]").click()
        wanted = calls.of(symptom, grade)
        inside = page.locator(f"fieldset:has(#{field})")
        texts = [t for t in inside.locator(".callnow").all() if t.is_visible()]
        assert len(texts) == (1 if wanted else 0), field
        if wanted:
            shown += 1
            assert ("911" in texts[0].inner_text()) == (wanted == "emergency"), field
        if field.startswith("d-"):
            page.locator(f"label[for={field}]").click()
        assert section.count() == 1
    assert shown >= 20
    context.close()


@pytest.mark.trust("H4.2")
def test_without_a_network_the_report_waits_and_is_sent_once(work):
    page = joy(work, "/me/report")
    page.context.set_offline(True)
    page.locator("label[for=s-fatigue-3]").click()
    page.get_by_role("button", name="Send").click()
    page.get_by_role("heading", name="Your report is kept on this phone").wait_for()
    assert reports(work.clinic) == []
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    for _ in range(50):
        if reports(work.clinic):
            break
        page.wait_for_timeout(200)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(500)
    assert [i.text for i in reports(work.clinic)] == ["fatigue 3"]


def test_a_draft_is_kept(work):
    page = joy(work, "/me/report")
    page.locator("label[for=s-fatigue-3]").click()
    page.reload()
    assert page.locator("#s-fatigue-3").is_checked()


@pytest.mark.trust("P8")
def test_the_last_pages_can_be_read_without_a_network(work):
    page = joy(work, "/me")
    for _ in range(100):
        if page.evaluate("caches.match('/me/call').then(found => !!found)"):
            break
        page.wait_for_timeout(100)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.goto(work.address + "/me/call")
    assert page.get_by_role("heading", name="When to call").first.is_visible()
    page.goto(work.address + "/me")
    assert page.get_by_text("Your red blood count").is_visible()


@pytest.mark.trust("D3")
def test_the_same_report_twice_counts_once(work):
    page = joy(work, "/me/report", js=False)
    fields = {
        name: page.locator(f"#report [name={name}]").get_attribute("value")
        for name in ("csrf", "key", "for_person")
    }
    for _ in range(3):
        answer = page.request.post(work.address + "/me/report", form={**fields, "s-fatigue": "1"})
        assert answer.url.endswith(f"/me/report/{fields['key']}")
    assert [i.text for i in reports(work.clinic)] == ["fatigue 1"]


def test_a_message_and_its_answer(work):
    page = joy(work, "/me/messages", js=False)
    page.get_by_label("Your message").fill(f"Can I travel? {site.EVIL}")
    page.get_by_role("button", name="Send").click()
    assert page.get_by_text("Not opened yet").is_visible()
    with work.clinic.database.write() as connection:
        (item,) = messages.items(connection, ["okafor"])
        messages.act(
            connection, messages.ANSWERED, item, actor="x", at=site.AT, text="Yes, you can."
        )
    page.reload()
    assert page.get_by_text("Yes, you can.").is_visible()
    assert page.evaluate("window.hacked") is None


# -- what stands there, and what never does ----------------------------------------------------------

NEVER = re.compile(
    r"\d ?%|probab|forecast|likely|predict|model|recommend|you should get|pronóstic|"
    r"g/dL in \d+ days|threshold",
    re.IGNORECASE,
)


@pytest.mark.trust("X5")
@pytest.mark.parametrize("path", PATHS)
def test_no_probability_no_forecast_no_computed_advice(look, path):
    text = joy(look, path).locator("body").inner_text()
    fixed = "So low iron is not likely to be the reason"
    assert NEVER.findall(text.replace(fixed, "")) == []


@pytest.mark.trust("X5")
def test_only_what_the_team_released_is_the_plan(work):
    page = joy(work)
    assert page.get_by_text("Your team has not put a plan here yet").is_visible()
    given = Release(
        "okafor", "x", "Dr. Rao", site.AT, ("You may need blood next week.",), "2026-11-24T08:00",
        talk_at=8.0, iron="untested", self_care=("sleep",),
    )  # fmt: skip
    with work.clinic.database.write() as connection:
        releases.release(connection, given)
    page.reload()
    text = page.locator("main").inner_text()
    for words in ("You may need blood next week.", "Dr. Rao", "November 24, 2026, 08:00", "at 8."):
        assert words in text
    page.goto(work.address + "/me/learn/iron-and-food")
    assert "Nobody knows yet" in page.locator("main").inner_text()


@pytest.mark.trust("H12.1", "H12.2", "S5.2")
@pytest.mark.parametrize("iron", ["", *releases.IRON_CLASSES])
def test_iron_is_said_not_to_help_only_to_whom_it_is_true(work, iron):
    if iron:
        with work.clinic.database.write() as connection:
            releases.release(connection, Release("okafor", "x", "Dr. Rao", site.AT, iron=iron))
    text = joy(work, "/me/learn/iron-and-food", js=False).locator("main").inner_text()
    assert ("does not help" in text) == (iron == "enough_treatment")


@pytest.mark.trust("S1", "H8.1")
def test_another_s_page_is_nowhere(work):
    page = joy(work, "/me?for=alvarez")
    assert "not here" in page.title().lower()


@pytest.mark.trust("U11", "H1.5")
def test_a_form_for_somebody_else_is_refused(work):
    page = joy(work, "/me/report", js=False)
    page.locator("label[for=s-fatigue-1]").click()
    page.context.new_page()
    body = {"for_person": "alvarez", "key": "0123456789abcdef", "s-fatigue": "4"}
    token = page.locator("#report [name=csrf]").get_attribute("value")
    answer = page.request.post(work.address + "/me/report", form={**body, "csrf": token})
    assert answer.status == 404
    assert reports(work.clinic) == []


def test_when_to_call_is_open_to_everybody(look):
    page = look("/me/call", "", width=390)
    assert page.get_by_text("You are short of breath while you sit still.").is_visible()


# -- words -----------------------------------------------------------------------------------------


def said() -> set[str]:
    """Every text that the templates put into words, and those that come from tables."""
    found = set(TITLES.values())
    found |= {words for _, words, _ in (*form.DANGER, *form.BREATH)}
    for path in FOLDER.glob("*.j2"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'\bt\(\s*"([^"]+)"', text))
        for group in re.findall(r"\bt\(\(([^)]*)\)\[", text):
            found |= set(re.findall(r'"([^"]+)"', group))
        for group in re.findall(r"for value, word in \((.*?)\) %}", text):
            found |= set(re.findall(r'"\w+", "([^"]+)"', group))
    return found


@pytest.mark.trust("U6")
def test_every_word_is_in_spanish():
    assert sorted(said() - set(SPANISH)) == []


def test_the_same_values_stand_in_both_languages():
    for english, spanish in SPANISH.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", spanish))


@pytest.mark.trust("U5", "X8", "S8.1")
def test_the_words_are_easy():
    sentences = [s for s in said() if len(s.split()) > 6]
    grade = read(
        " ".join(s if s.endswith((".", "?")) else s + "." for s in sentences)
    ).flesch_kincaid
    assert grade <= 6.5
    assert inflesz(" ".join(SPANISH[s] + "." for s in sentences)) >= FAIRLY_EASY


@pytest.mark.parametrize("path", PATHS)
def test_spanish_pages_have_no_english_left(look, path):
    page = joy(look, path, "es")
    assert page.locator("html").get_attribute("lang") == "es"
    text = page.locator("main").inner_text()
    left = [
        w
        for w in ("your", "the", "blood", "Send", "Back", "Next", "None")
        if re.search(rf"\b{w}\b", re.sub(r"(?s)De dónde viene esto.*", "", text))
    ]
    assert left == []
