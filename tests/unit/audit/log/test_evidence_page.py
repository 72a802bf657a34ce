"""The page of evidence in a real Chromium without a network: it says what the Python checks say."""

import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from audit.adapters.evidence_page import PAGE_BYTES_MAX, evidence_page
from audit.domain.log.evidence import encode_evidence, read_evidence
from audit.domain.log.evidence_checks import check_evidence
from audit.domain.log.keys import InvalidKeyError, KeyType, SigningKey, VerifierKey, parse_verifier_key
from audit.domain.log.notes import NoteError, parse_note
from audit.domain.log.policies import PolicyError, parse_policy
from harness.browser import start_chromium
from harness.evidence_files import (
    BOOKING_ID,
    LOG_KEY,
    LOG_MLDSA_KEY,
    STRANGER,
    WITNESS_KEYS,
    SampleLog,
    policy,
)
from harness.evidence_tampering import INTACT, LESS, LOG, TAMPERED, Change, changed


@pytest.fixture(scope="module")
async def chromium() -> AsyncGenerator[Browser]:
    async with start_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
async def offline(chromium: Browser) -> BrowserContext:
    return await chromium.new_context(offline=True, viewport={"width": 360, "height": 740})


@pytest.fixture(scope="module")
async def blank(offline: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Provide the page without evidence, for files that are opened in it."""
    return await opened(offline, tmp_path_factory.mktemp("blank"), "")


async def opened(context: BrowserContext, folder: Path, evidence: str) -> Page:
    """Open a file as a double click does."""
    file = folder / "evidence.html"
    file.write_bytes(evidence_page(evidence))
    page = await context.new_page()
    await page.goto(file.as_uri())
    return page


async def shown(page: Page, evidence: str) -> dict[str, str]:
    """Open another file in the page."""
    await page.evaluate("show", evidence)
    return await results(page)


async def results(page: Page) -> dict[str, str]:
    await page.locator("#verdict[class]").wait_for()
    items = page.locator("[data-check]")
    return dict(
        await items.evaluate_all("items => items.map((item) => [item.dataset.check, item.className])")
    )


async def verdict(page: Page) -> str:
    await page.locator("#verdict[class]").wait_for()
    return await page.locator("#verdict h2").inner_text()


def python_results(evidence: str, keys: list[VerifierKey] | None = None) -> dict[str, str]:
    checks = check_evidence(read_evidence(evidence.encode()), keys)
    return {check.id: check.result for check in checks}


async def test_intact_file_is_proved_by_double_click_without_any_request(
    offline: BrowserContext, tmp_path: Path
) -> None:
    requests: list[str] = []
    offline.on("request", lambda request: requests.append(request.url))
    page = await opened(offline, tmp_path, encode_evidence(INTACT))
    assert await verdict(page) == "The evidence holds"
    assert await results(page) == python_results(encode_evidence(INTACT))
    assert set((await results(page)).values()) == {"pass", "note"}
    assert [url.partition(":")[0] for url in requests] == ["file"]
    text = await page.inner_text("main")
    assert str(LOG_KEY.verifier) in text
    assert "ML-DSA-44 signature is not checked here" in text
    assert "That what was recorded is true." in text
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    assert len(evidence_page()) <= PAGE_BYTES_MAX


@pytest.mark.parametrize(("change", "failed"), TAMPERED.values(), ids=TAMPERED)
async def test_each_tampered_part_is_named_by_page_and_command(
    change: Change, failed: str, blank: Page
) -> None:
    evidence = changed(change)
    said = await shown(blank, evidence)
    assert said[failed] == "fail"
    assert said == python_results(evidence)
    assert await verdict(blank) == "Do not rely on this file"
    assert await blank.inner_text("#proved") == "Nothing: a check failed."


@pytest.mark.parametrize("change", LESS.values(), ids=LESS)
async def test_what_is_only_less_is_said_alike(change: Change, blank: Page) -> None:
    said = await shown(blank, changed(change))
    assert "fail" not in said.values()
    assert said == python_results(changed(change))


async def test_forged_log_is_found_by_the_key_that_the_reader_has(
    offline: BrowserContext, tmp_path: Path
) -> None:
    forged = encode_evidence(
        LOG.evidence(checkpoint=str(LOG.checkpoint([STRANGER])), policy=policy(logs=[STRANGER]))
    )
    page = await opened(offline, tmp_path, forged)
    assert await verdict(page) == "The evidence holds"
    assert "One step is yours: compare the key" in await page.inner_text("#verdict")
    await page.get_by_label("Keys that you trust").fill(str(LOG_KEY.verifier))
    await page.get_by_label("Keys that you trust").blur()
    await page.get_by_role("heading", name="Do not rely on this file").wait_for()
    assert await results(page) == python_results(forged, [LOG_KEY.verifier])
    # With the right key, the same copy of the page accepts the right file.
    file = tmp_path / "right.html"
    file.write_bytes(evidence_page(encode_evidence(INTACT)))
    await page.get_by_label("Another file of evidence").set_input_files(file)
    await page.get_by_role("heading", name="The evidence holds").wait_for()
    assert await results(page) == python_results(encode_evidence(INTACT), [LOG_KEY.verifier])
    assert "One step is yours" not in await page.inner_text("#verdict")


async def test_given_witnesses_count_and_those_of_the_file_no_longer(
    offline: BrowserContext, tmp_path: Path
) -> None:
    keys = [LOG_KEY.verifier, WITNESS_KEYS[0].verifier, WITNESS_KEYS[2].verifier]
    page = await opened(offline, tmp_path, encode_evidence(INTACT))
    await page.get_by_label("Keys that you trust").fill("\n".join(map(str, keys)))
    await page.get_by_label("Keys that you trust").blur()
    await page.locator("[data-check=witnesses].note").wait_for()
    assert await results(page) == python_results(encode_evidence(INTACT), keys)


async def test_two_keys_of_a_witness_are_one_witness(blank: Page) -> None:
    await shown(blank, encode_evidence(LOG.evidence_of_one_witness_with_two_keys()))
    text = await blank.inner_text("[data-check=witnesses]")
    assert "1 of 1 witnesses signed it, but not all in a way that browsers can check" in text


async def test_texts_of_a_file_are_shown_and_never_run(offline: BrowserContext, tmp_path: Path) -> None:
    hostile = (
        "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">\u202e"
    )
    log = SampleLog()
    odd = 'quote " backslash \\ \b\f\n\r\t \x01\x1f\x7f é \U0001f600 \u2028 \ufeff'
    log.append(odd, {"text": odd})
    log.append(hostile, {"version": 1, "status": hostile}, booking_id=BOOKING_ID)
    log.append("booking.created", {"version": 1, "status": hostile, "sequence": 1}, booking_id=BOOKING_ID)
    log.payloads[1] = (log.payloads[1][0], hostile.encode())
    page = await opened(offline, tmp_path, encode_evidence(log.evidence()))
    assert (await results(page))["entries"] == "pass"
    for each in await page.locator("details").all():
        await each.locator("summary").click()
    assert hostile[:-1] in await page.inner_text("#entries")
    assert "\\u202e" in await page.inner_text("#entries")
    assert await page.locator("img").count() == 0
    assert await page.title() == "Evidence of a booking"


async def test_frozen_example_of_the_docs_opens_in_its_own_page_and_in_the_present_one(
    offline: BrowserContext, blank: Page
) -> None:
    file = Path(__file__).parents[4] / "docs/examples/evidence.html"
    page = await offline.new_page()
    await page.goto(file.as_uri())
    assert await verdict(page) == "The evidence holds"
    await blank.get_by_label("Another file of evidence").set_input_files(file)
    await blank.get_by_role("heading", name="The evidence holds").wait_for()
    assert await results(blank) == python_results(file.read_text(encoding="utf-8"))


async def test_page_runs_no_other_script(offline: BrowserContext, tmp_path: Path) -> None:
    file = tmp_path / "evidence.html"
    page_bytes = evidence_page(encode_evidence(INTACT)) + b"<script>document.title = 'run'</script>"
    file.write_bytes(page_bytes)
    page = await offline.new_page()
    await page.goto(file.as_uri())
    assert await verdict(page) == "The evidence holds"
    assert await page.title() == "Evidence of a booking"


@pytest.mark.parametrize(
    "evidence", ["noise", "null", "[]", "{}", '{"format": "other"}', "{", encode_evidence(INTACT)[:5000]]
)
async def test_other_content_is_refused_with_a_sentence(evidence: str, blank: Page) -> None:
    await blank.evaluate("show", evidence)
    assert await verdict(blank) == "This file cannot be checked"
    assert "it holds no evidence" in await blank.inner_text("#verdict")
    assert not await blank.locator("#result").is_visible()


async def test_page_without_evidence_asks_for_a_file(offline: BrowserContext, tmp_path: Path) -> None:
    page = await opened(offline, tmp_path, "")
    assert await page.inner_text("#verdict h2") == "Choose a file of evidence"


@pytest.mark.parametrize(
    ("keys", "script", "text"),
    [
        (
            (LOG_KEY, LOG_MLDSA_KEY),
            "crypto.subtle.importKey = async () => { throw new DOMException('', 'NotSupportedError') }",
            "This browser cannot check Ed25519 signatures.",
        ),
        ((LOG_MLDSA_KEY,), "", "signed with ML-DSA-44 only, which browsers cannot check"),
    ],
    ids=["no Ed25519", "no Ed25519 key"],
)
async def test_what_a_browser_cannot_check_is_not_called_proved(
    keys: tuple[SigningKey, ...], script: str, text: str, offline: BrowserContext, tmp_path: Path
) -> None:
    evidence = LOG.evidence(checkpoint=str(LOG.checkpoint(keys)))
    page = await opened(offline, tmp_path, "")
    await page.evaluate(f"() => {{ {script} }}")
    await shown(page, encode_evidence(evidence))
    assert await verdict(page) == "Not checked"
    assert text in await page.inner_text("[data-check=signature]")
    assert await page.inner_text("#proved") == "Nothing yet."


async def test_thousand_entries_are_checked_within_seconds(offline: BrowserContext, tmp_path: Path) -> None:
    log = SampleLog()
    for number in range(1, 1001):
        log.transition(number, number)
        log.others(9)
    evidence = encode_evidence(log.evidence())
    began = time.perf_counter()
    page = await opened(offline, tmp_path, evidence)
    assert await verdict(page) == "The evidence holds"
    assert time.perf_counter() - began < 20
    assert await page.locator("#entries tbody tr").count() == 1000
    assert len(evidence) < 2_500_000


SIGNED_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlT"
    "gK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
NOTES = [
    SIGNED_NOTE,
    str(LOG.checkpoint()),
    SIGNED_NOTE[:-1],
    SIGNED_NOTE.replace("\n\n", "\n"),
    SIGNED_NOTE.replace("—", "-"),
    SIGNED_NOTE.replace("— ", "—  "),
    SIGNED_NOTE.replace("foo ", "foo+1 "),
    SIGNED_NOTE.replace("foo ", "fo\u00a0o "),
    SIGNED_NOTE.replace("M=\n", "N=\n"),
    SIGNED_NOTE.replace("message", "mess\tage"),
    SIGNED_NOTE + "\n",
    SIGNED_NOTE + "— a AAAA\n",
    "\n\n" + SIGNED_NOTE,
    "",
]
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
KEYS = [
    VKEY,
    str(LOG_MLDSA_KEY.verifier),
    str(WITNESS_KEYS[0].verifier),
    VKEY.replace("530d903a", "530D903A"),
    VKEY.replace("foo", "fop"),
    VKEY[:-4],
    VKEY.replace("+Aeky", "+Bkky"),
    "example.com/foo",
    "+530d903a+" + VKEY[-44:],
    "",
]
POLICIES = [
    policy(),
    policy("none"),
    policy().replace("\n", "\n\n# a comment\n \t\n").replace("log ", " \tlog\t"),
    policy().replace("group most 2", "group most any"),
    policy().replace("group most 2", "group most all"),
    policy().replace("group most 2", "group most 4"),
    policy().replace("group most 2", "group most 0"),
    policy().replace("group most 2", "group none 2"),
    policy().replace("quorum most", "quorum others"),
    policy() + "quorum none\n",
    policy() + "group more any witness-a\n",
    policy().replace("witness witness-a", "witness witness-b"),
    policy().replace("witness-b ", "witness-b \N{KELVIN SIGN} ", 1),
    policy().replace("log ", "dog "),
    policy(logs=[SigningKey("a", KeyType.ED25519_COSIGNATURE, bytes(32))]),
    "quorum none\n",
]


_READS = """async (texts) => {
  const read = async (text) => %s;
  const refused = (error) => { if (!(error instanceof Refused)) throw error; return false; };
  return Promise.all(texts.map((text) => read(text).then(() => true, refused)));
}"""


def reads(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except (NoteError, InvalidKeyError, PolicyError):
        return False
    return True


def has_log(text: str) -> None:
    if not parse_policy(text.encode()).logs:
        raise PolicyError("no log")


async def test_page_and_core_read_the_same_notes_keys_and_policies(blank: Page) -> None:
    for read, texts, in_python in (
        ("parseNote(text)", NOTES, lambda text: parse_note(text.encode())),
        ("parseKey(text, [1, 4, 6])", KEYS, parse_verifier_key),
        ("parsePolicy(text)", POLICIES, has_log),
    ):
        expected = [reads(in_python, text) for text in texts]
        assert await blank.evaluate(_READS % read, texts) == expected
        assert {True, False} <= set(expected)
