"""Paths and widths of tiles, after the examples of C2SP tlog-tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.log.tiles import TILE_WIDTH, TilePath, bundle, parse_tile_path, tile_path, tile_width


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("0/x001/x234/067", TilePath(0, 1234067, 256)),
        ("63/000", TilePath(63, 0, 256)),
        ("entries/x001/000.p/112", TilePath(None, 1000, 112)),
    ],
)
def test_paths_of_the_specification_are_read(path: str, tile: TilePath) -> None:
    assert parse_tile_path(path) == tile
    assert tile_path(*tile) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "0", "0/", "00/000", "64/000", "-1/000", "0/0", "0/00", "0/0000", "0/x000/001", "0/001/002",
        "0/x001",
        "0/x001/x002", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "0/000.p", "0/000/", "/0/000",
        "8/0/000",
        "0/000?x", "data/000", "0/\u0661\u0661\u0661", "0/000.p/1000", "0/000\n",
        "0/x123/x123/x123/x123/x123/x123/123",
    ],
)  # fmt: skip
def test_other_paths_are_no_tiles(path: str) -> None:
    assert parse_tile_path(path) is None


@given(st.none() | st.integers(0, 63), st.integers(0, 2**55), st.integers(1, TILE_WIDTH))
def test_path_leads_back_to_its_tile(level: int | None, index: int, width: int) -> None:
    assert parse_tile_path(tile_path(level, index, width)) == TilePath(level, index, width)


def test_widths_are_those_of_the_example_with_70_000_leaves() -> None:
    size = 70_000
    assert [tile_width(0, index, size) for index in (272, 273, 274)] == [256, 112, 0]
    assert [tile_width(1, index, size) for index in (0, 1, 2)] == [256, 17, 0]
    assert [tile_width(2, index, size) for index in (0, 1)] == [1, 0]
    assert tile_width(3, 0, size) == 0
    assert tile_width(None, 273, size) == 112


def test_bundle_has_the_length_of_each_entry_in_two_bytes() -> None:
    assert bundle([b"a", b"", b"x" * 65_535])[:7] == b"\x00\x01a\x00\x00\xff\xff"
