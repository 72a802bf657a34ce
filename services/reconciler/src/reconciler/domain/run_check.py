"""Check of a run before it may be called completed: its totals against the records of its pages (REC-7)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

COUNTS = ("scanned", "clean", "drifted", "skipped", "errored")
SUMS = ("snapshot", "recomputed", "charged", "drift")

_SHOWN_MAX = 4


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Figures of a run, added up in one of two ways: in the run's own rows, or over its pages.

    Attributes:
        pages: number of committed pages.
        counts: by name, as in `COUNTS`.
        sums: by currency and name, as in `SUMS`, in minor units.
    """

    pages: int
    counts: Mapping[str, int]
    sums: Mapping[str, Mapping[str, int]]


def figures_problem(kept: RunFigures, by_page: RunFigures, *, breaks: int) -> str:
    """Return which figures of a run disagree, in one line; "" if all agree.

    Args:
        kept: totals of the run's own rows.
        by_page: sums over the records of its pages.
        breaks: pages that do not begin where the page before them ended.
    """
    problems = list(_problems(kept, by_page, breaks))
    if not problems:
        return ""
    more = f" and {len(problems) - _SHOWN_MAX} more" if len(problems) > _SHOWN_MAX else ""
    return f"the run's figures disagree: {'; '.join(problems[:_SHOWN_MAX])}{more}"


def _problems(kept: RunFigures, by_page: RunFigures, breaks: int) -> Iterator[str]:
    if kept.pages != by_page.pages:
        yield f"pages {kept.pages} in the run, {by_page.pages} recorded"
    if breaks:
        yield f"{breaks} pages do not begin where the page before ended"
    for name in COUNTS:
        if kept.counts[name] != by_page.counts[name]:
            yield f"{name} {kept.counts[name]} in the run, {by_page.counts[name]} over its pages"
    for figures, where in ((kept, "in the run"), (by_page, "over its pages")):
        parts = sum(figures.counts[name] for name in COUNTS[1:])
        if figures.counts["scanned"] != parts:
            yield f"scanned {figures.counts['scanned']} {where}, its outcomes add up to {parts}"
    for currency in sorted({*kept.sums, *by_page.sums}):
        yield from _sum_problems(currency, kept.sums.get(currency, {}), by_page.sums.get(currency, {}))


def _sum_problems(currency: str, kept: Mapping[str, int], by_page: Mapping[str, int]) -> Iterator[str]:
    for name in SUMS:
        one, other = kept.get(name, 0), by_page.get(name, 0)
        if one != other:
            yield f"{name} {one} {currency} in the run, {other} over its pages"
