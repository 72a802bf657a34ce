"""A run as data: what stands in `var/bench/<row>.json`, and the tables that are made of it alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.judging import Comparison, Finding, Samples
from bench.row import Experiment, Side
from bench.running import Result

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; printed on a terminal and in Markdown alike."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def to_document(result: Result) -> Document:
    """Everything of a run, samples too, as JSON has it."""
    row, samples = result.row, result.samples
    return {
        "row": row.name,
        "title": row.title,
        "size": result.size.value,
        "rounds": result.rounds,
        "measured_at": result.measured_at,
        "machine": result.machine,
        "versions": result.versions,
        "obstacles": result.obstacles,
        "missing": dict(result.missing),
        "findings": [asdict(finding) for finding in result.findings],
        "sides": [asdict(side) for side in row.sides],
        "experiments": [
            {
                "name": experiment.name,
                "figures": experiment.figures,
                "sides": [
                    _of_side(experiment, side, samples) for side in row.sides if experiment.is_of(side.name)
                ],
            }
            for experiment in row.experiments
        ],
        "yardsticks": [{**asdict(reading), "move": reading.move} for reading in result.readings],
        "samples": [asdict(sample) | {"counts": sample.counts} for sample in samples.taken],
    }


def _of_side(experiment: Experiment, side: Side, samples: Samples) -> dict[str, Any]:
    taken = samples.of(experiment.name, side.name)
    correct = [s for s in taken if not s.violations]
    trees = correct[0].cpu_microseconds if correct else ()
    return {
        "side": side.name,
        "counted": sum(s.counts for s in taken),
        "taken": len(taken),
        "figures": {
            figure: asdict(_figure(experiment, figure, side, samples)) for figure in experiment.figures
        },
        "cpu_microseconds": {tree: median(s.cpu_microseconds[tree] for s in correct) for tree in trees},
    }


def _figure(experiment: Experiment, figure: str, side: Side, samples: Samples) -> Finding:
    return samples.find(Comparison(experiment.name, figure, experiment.figures[figure], side.name))


def tables(document: Document) -> list[Table]:
    """Findings beside their targets, each experiment, yardsticks."""
    sound = not document["obstacles"]
    return [
        Table(
            "Findings",
            ["what", "median (min to max)", "target"],
            [[f["what"], cell(f, sound=sound), f["target"] or "-"] for f in document["findings"]],
        ),
        *(_experiment_table(document, experiment, sound=sound) for experiment in document["experiments"]),
        Table(
            "Yardsticks",
            ["yardstick", "before", "after", "moved"],
            [
                [
                    y["name"],
                    *(f"{y[when]:,.0f} {y['unit']}" for when in ("before", "after")),
                    f"{y['move']:.0%}",
                ]
                for y in document["yardsticks"]
            ],
        ),
    ]


def _experiment_table(document: Document, experiment: Mapping[str, Any], *, sound: bool) -> Table:
    survives = {side["name"]: side["survives"] for side in document["sides"]}
    sides = experiment["sides"]
    trees = list(sides[0]["cpu_microseconds"])
    return Table(
        experiment["name"],
        ["", *(side["side"] for side in sides)],
        [
            *(
                [unit, *(cell(side["figures"][figure], sound=sound) for side in sides)]
                for figure, unit in experiment["figures"].items()
            ),
            *([f"CPU-µs/op {tree}", *(_cpu(side, tree) for side in sides)] for tree in trees),
            ["survives", *(survives[side["side"]] for side in sides)],
            ["rounds that count", *(f"{side['counted']} of {side['taken']}" for side in sides)],
        ],
    )


def _cpu(side: Mapping[str, Any], tree: str) -> str:
    spent = side["cpu_microseconds"].get(tree)
    return "-" if spent is None else f"{spent:,.0f}"


def cell(finding: Mapping[str, Any], *, sound: bool) -> str:
    """`3.4 (3.1 to 3.9)`; in brackets where it is no number but only an indication."""
    spread = finding["counted"] if sound else finding["indication"]
    if spread is None:
        return "no number"
    text = f"{spread['median']:,.3g} ({spread['min']:,.3g} to {spread['max']:,.3g})"
    if spread["median"] >= 1_000:
        text = f"{spread['median']:,.0f} ({spread['min']:,.0f} to {spread['max']:,.0f})"
    return text if sound else f"[{text}]"
