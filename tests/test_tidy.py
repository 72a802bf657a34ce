"""House rules that a machine keeps (design.md §6 and §7). No broker, no database."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.postgres.migrations import find_migrations
from contract_tools import check
from contracts.catalogue import MESSAGES
from contracts.topics import TOPICS, webhook_topic
from plumbline.doctor.grants import granted

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = (
    "contracts/src",
    "libs/chassis/src",
    "libs/pricing/src",
    "services",
    "deploy/local/src",
    "tools/src",
)
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
CHASSIS_ENTRIES_MAX = 16
GATEWAY_SERVER_LINES_MAX = 250
TEST_LINES_MAX = 500
SIMULATION_LINES_MAX = 430
DOMAIN_WORDS = re.compile(r"\b(booking|stripe|sms|openphone|quo|price|pricing|payment)s?\b", re.IGNORECASE)
REFUSED_NAMES = {"utils", "util", "common", "helpers", "helper", "core", "manager", "managers", "misc"}
NO_VERB = re.compile(r"(What|Whether|Those|So|That)\b")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
MONEY = re.compile(r"amount|price|total|cent|money|charge|drift|refund|captur", re.IGNORECASE)
PERSONAL_DATA_HOURS_MAX = 90 * 24
MACHINE_PATH = re.compile(r"/(?:work|farm|root|tmp|home)/[a-z]")
INDEX_ADDRESS = re.compile(
    r"https?://[^\s\"')]*(?:pypi|pythonhosted|maven|npmjs|crates\.io|goproxy)", re.IGNORECASE
)


def tracked(*suffixes: str) -> list[Path]:
    """Files that git tracks or would track, so that a new file is looked at before its first commit."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    paths = [ROOT / name for name in listed]
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]


def sources() -> list[Path]:
    roots = [ROOT / root for root in SOURCE_ROOTS]
    return [path for path in tracked(".py") if any(path.is_relative_to(root) for root in roots)]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_modules_stay_small() -> None:
    long = {name(p): n for p in sources() if (n := len(p.read_text().splitlines())) > MODULE_LINES_MAX}
    assert long == {}


def test_test_files_stay_small() -> None:
    paths = [p for p in tracked(".py") if p.is_relative_to(ROOT / "tests")]
    long = {name(p): n for p in paths if (n := len(p.read_text().splitlines())) > TEST_LINES_MAX}
    assert long == {}


def test_functions_stay_small() -> None:
    long = [
        f"{name(path)}:{node.lineno} {node.name}: {length(node)} lines"
        for path in sources()
        for node in functions(ast.parse(path.read_text()))
        if length(node) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_docstring_of_a_function_begins_with_a_verb() -> None:
    """ruff's D401 knows the forms of verbs; these words are none."""
    found = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in tracked(".py")
        for node in functions(ast.parse(path.read_text()))
        if NO_VERB.match(ast.get_docstring(node) or "")
    ]
    assert found == []


def test_chassis_has_few_doors() -> None:
    """Wings, roof files, the clock and the SQL; `__init__.py` and the type marker are no doors."""
    root = ROOT / "libs/chassis/src/chassis"
    entries = {path.relative_to(root).parts[0] for path in tracked() if path.is_relative_to(root)}
    assert len(entries - {"__init__.py", "py.typed"}) <= CHASSIS_ENTRIES_MAX


def test_gateway_s_own_http_protocol_stays_small() -> None:
    server = ROOT / "services/webhook-gateway/src/webhook_gateway/server"
    lines = sum(len(path.read_text().splitlines()) for path in server.glob("*.py"))
    assert lines <= GATEWAY_SERVER_LINES_MAX


def test_simulation_can_be_read_at_one_sitting() -> None:
    """Count the lines of code that drive the worlds, without the command and the planted faults."""
    modules = ("clock", "kafka", "store", "world")
    lines = sum(len(code_lines(ROOT / f"tests/simulation/{module}.py")) for module in modules)
    assert lines <= SIMULATION_LINES_MAX


def code_lines(path: Path) -> set[int]:
    """Numbers of the lines that hold code: none of what is blank, a comment or a docstring."""
    text = path.read_text()
    told = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return {
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if number not in told and line.strip() and not line.strip().startswith("#")
    }


def test_no_room_for_odds_and_ends() -> None:
    parts = [(name(p), {*p.relative_to(ROOT).with_suffix("").parts}) for p in sources()]
    assert [path for path, words in parts if words & REFUSED_NAMES] == []


def test_uvicorn_is_imported_by_what_runs_it_alone() -> None:
    allowed = ("libs/chassis/src/chassis/service.py", "services/webhook-gateway/src/webhook_gateway/server/")
    imports = re.compile(r"^\s*(import|from) uvicorn\b", re.MULTILINE)
    found = [name(path) for path in sources() if imports.search(path.read_text())]
    assert [path for path in found if not path.startswith(allowed)] == []
    assert any(path.startswith(allowed[1]) for path in found)


def test_chassis_speaks_of_no_business() -> None:
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in sources()
        if path.is_relative_to(ROOT / "libs/chassis")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if DOMAIN_WORDS.search(line)
    ]
    assert found == []


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{name(path)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_every_silenced_check_says_why() -> None:
    bare = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore)(?!.*\s(-|\()\s?\w)")
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if bare.search(line)
    ]
    assert found == []


# Each reads what this system or PostgreSQL wrote, or checks the form first.
READS_OWN_TIMES = {
    "contracts/src/contracts/times.py",
    "services/booking/src/booking/adapters/booking_rows.py",
    "services/reconciler/src/reconciler/adapters/booking_rows.py",
    "services/reconciler/src/reconciler/api/parameters.py",
    "services/webhook-gateway/src/webhook_gateway/__main__.py",
}
LENIENT_TIMES = {
    "datetime",
    "date",
    "time",
    "AwareDatetime",
    "NaiveDatetime",
    "PastDatetime",
    "FutureDatetime",
}


def test_times_from_outside_are_read_by_contracts_times_alone() -> None:
    """pydantic and `fromisoformat` take digits for a date; `contracts.times` does not."""
    found = [
        f"{name(path)}:{number}"
        for path in sources()
        if name(path) not in READS_OWN_TIMES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "fromisoformat(" in line
    ]
    assert found == []


def test_no_model_takes_digits_for_a_time() -> None:
    """In message models and request bodies a time is `UtcDatetime`, or another type that reads RFC 3339."""
    found = [
        f"{name(path)}:{field.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(re.search("Model$|Body$", ast.unparse(b)) for b in node.bases)
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and LENIENT_TIMES & {each.id for each in ast.walk(field.annotation) if isinstance(each, ast.Name)}
    ]
    assert found == []


def test_no_float_near_money() -> None:
    """Float literals, float() and true division are refused wherever the function speaks of money."""
    rooms = ("contracts/src", "libs/pricing/src", "services/booking/src", "services/reconciler/src")
    found: list[str] = []
    for path in (p for p in sources() if any(p.is_relative_to(ROOT / room) for room in rooms)):
        for node in functions(ast.parse(path.read_text())):
            if not MONEY.search(ast.unparse(node)):
                continue
            found += [f"{name(path)}:{bad.lineno}" for bad in ast.walk(node) if _is_float(bad)]
    assert found == []


def _is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is float
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "float"
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _is_path(node)


def _is_path(node: ast.BinOp) -> bool:
    return isinstance(node.right, ast.Constant) and isinstance(node.right.value, str)


def test_every_topic_named_in_code_is_on_a_card() -> None:
    cards = {card.name for card in TOPICS}
    pattern = re.compile(r'"((?:webhooks|bookings|reconciliation|audit|dead-letters)[a-z.-]*\.v\d+)"')
    found = [
        f"{name(path)}: {topic}"
        for path in sources()
        for topic in pattern.findall(path.read_text())
        if topic not in cards
    ]
    assert found == []


def test_topics_with_personal_data_keep_it_for_a_bounded_time() -> None:
    """Personal data that is erased elsewhere must not stay on a topic for ever (ALL-8; docs/privacy.md)."""
    page = (ROOT / "docs/privacy.md").read_text()
    for card in (*TOPICS, webhook_topic("github")):
        if card.personal_data:
            assert card.retention_hours is not None, card.name
            assert card.retention_hours <= PERSONAL_DATA_HOURS_MAX, card.name
            days = f"{card.retention_hours // 24} days"
            spelt = "webhooks.<source>.v1" if "/webhooks/" in card.sources[0] else card.name
            assert any(f"`{spelt}`" in line and days in line for line in page.splitlines()), spelt


def test_cards_are_consistent() -> None:
    assert len({card.name for card in TOPICS}) == len(TOPICS)
    assert all(card.partitions >= 1 and card.producers and card.consumers for card in TOPICS)
    assert {message.topic for message in MESSAGES} <= set(TOPICS)
    assert len({message.event_type for message in MESSAGES}) == len(MESSAGES)
    assert len({message.model for message in MESSAGES}) == len(MESSAGES)


@pytest.mark.parametrize("service", ["booking", "audit", "reconciler"])
def test_append_only_tables_have_always_triggers_and_no_grant_to_change_them(service: str) -> None:
    package = ROOT / f"services/{service}/src/{service}"
    sql = "\n".join(path.read_text() for path in sorted(package.glob("migrations/*.sql")))
    triggers = re.findall(r"CREATE TRIGGER (\w+)[^;]*? ON (\w+)[^;]*EXECUTE FUNCTION refuse_change", sql)
    assert triggers, f"{service} has no append-only table"
    for trigger, table in triggers:
        assert f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger};" in sql
        grants = re.findall(rf"GRANT ([^;]*?) ON (?:TABLE )?{table} TO {service};", sql)
        assert not [g for g in grants if re.search("UPDATE|DELETE|TRUNCATE|ALL", g)]


@pytest.mark.parametrize("service", ["booking", "audit", "reconciler"])
def test_append_only_tables_take_nothing_that_the_database_sets(service: str) -> None:
    """INSERT is granted by column, on no column with a default or an identity."""
    texts = [migration.sql for migration in find_migrations(["chassis", service])]
    sql = "\n".join(texts)
    rights = granted(texts, service)
    guarded = set(re.findall(r"CREATE TRIGGER \w+[^;]*? ON (\w+)[^;]*EXECUTE FUNCTION refuse_change", sql))
    appended = {of: set[str]() for of, _ in rights if of in guarded}
    for table, right in rights:
        if table in appended and right.startswith("INSERT"):
            appended[table].add(right.removeprefix("INSERT").strip(" ()"))
    assert appended
    # Written by a trigger alone: the service cannot invent a row.
    assert not appended.pop("booking_revision", None)
    # Written by the owner's function for the eraser alone.
    assert not appended.pop("payload_retention", None)
    for table, columns in appended.items():
        bodies = re.findall(rf"CREATE TABLE {table} \((.*?)\n\)", sql, re.DOTALL)
        assert bodies, f"{table} is made by no migration"
        own = set(re.findall(r"^    (\w+) [^,]*?(?:DEFAULT|GENERATED)", bodies[-1], re.MULTILINE))
        assert columns, f"{table}: {service} may not append"
        assert "" not in columns, f"{table}: INSERT is granted on all columns: grant it column by column"
        assert not columns & own, f"{table}: INSERT is granted on what the database sets: {columns & own}"


def test_published_views_are_barriers_in_the_order_of_their_pages() -> None:
    """`CREATE OR REPLACE VIEW` drops the option, and without the order a page would read the whole view."""
    sql = "".join(migration.sql for migration in find_migrations(["booking"]))
    latest = re.findall(r"CREATE (?:OR REPLACE )?VIEW reconciliation_v1[^;]*;", sql)[-1]
    assert "WITH (security_barrier = true)" in latest
    assert latest.endswith("ORDER BY booking.booking_id;")


def test_no_address_or_path_of_one_machine_in_any_file() -> None:
    found = [
        f"{name(path)}:{number}"
        for path in tracked()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if MACHINE_PATH.search(line) or INDEX_ADDRESS.search(line)
    ]
    assert found == []


def test_files_that_make_test_leaves_out_run_in_make_check() -> None:
    (left_out,) = re.findall(r"^OF_CHECK := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    run = {argument for step in check.steps(ROOT) for argument in step.command}
    assert {*left_out.split(), "tests/contract", "tests/mutation", "tests/test_tidy.py"} <= run
