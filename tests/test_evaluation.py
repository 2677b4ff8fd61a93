from __future__ import annotations

import json
import math

import numpy as np
import pytest

from cryopick_napari.evaluation import Compared, agreement, as_table, as_values, evaluate, extent, warnings_of
from cryopick_napari.picks import Picks

SHAPE = (1000, 800)
DIAMETER = 40.0  # half a radius is 10 px, a radius 20
TRUTH = [(100, 100), (100, 200), (100, 300), (200, 100), (200, 200)]
# Right at 9 px, right at 10 px, within a radius only, a second pick of the first particle, and far away.
PICKS = [(109, 100), (100, 210), (100, 315), (95, 100), (700, 700)]
SCORES = [0.9, 0.8, 0.7, 0.3, 0.2]


def compared(picks=PICKS, scores=SCORES, truth=TRUTH, diameter=DIAMETER, shape=SHAPE, name="a"):
    return Compared(name, Picks.of(picks, scores), Picks.of(truth), diameter, shape)


def test_a_case_worked_out_by_hand():
    row = agreement([compared()], "a")
    assert (row.picks, row.truth) == (5, 5)
    assert (row.precision, row.recall) == (2 / 5, 2 / 5)
    assert row.f1 == 2 * 2 / (5 + 5)
    assert row.f1_full_radius == 2 * 3 / (5 + 5)
    assert row.best_f1 == 2 * 2 / (2 + 5)  # the two best are both right
    assert row.best_threshold == pytest.approx((0.8 + 0.7) / 2)
    assert row.flipped == 0


def test_counts_are_added_up_before_anything_is_divided():
    good = compared(TRUTH[:1], [1], TRUTH[:1], name="good")
    bad = compared([(900, 700)] * 3, [1] * 3, TRUTH, name="bad")
    rows = evaluate([good, bad])
    assert [row.name for row in rows] == ["good", "bad", "all"]
    assert [row.f1 for row in rows] == [1, 0, 2 * 1 / (4 + 6)]
    assert rows[-1].precision == 1 / 4
    assert rows[-1].recall == 1 / 6


def test_fields_of_another_pixel_size_are_judged_by_their_own_diameter():
    coarse = compared(np.divide(PICKS, 4), SCORES, np.divide(TRUTH, 4), DIAMETER / 4)
    one, *_, both = evaluate([coarse, compared()])
    assert both.f1 == one.f1 == 0.4
    assert both.best_f1 == one.best_f1


def test_chance_is_near_what_geometry_says():
    # n picks hit one of m particles by chance with n * m * (area within reach) / (area of the field).
    rng = np.random.default_rng(0)
    truth = np.stack(np.meshgrid(np.arange(50, 1000, 50), np.arange(50, 800, 50)), -1).reshape(-1, 2)
    picks = rng.uniform(0, (1000, 800), (200, 2))
    row = agreement([compared(picks, rng.random(200), truth)], "a")
    part = len(truth) * math.pi * 10**2 / (1000 * 800)
    assert row.chance == pytest.approx(2 * 200 * part / (200 + len(truth)), rel=0.1)
    assert abs(row.f1 - row.chance) < 0.05
    assert any("no better than chance" in text for text in warnings_of([row])) == (row.f1 <= row.chance)


def test_a_flipped_axis_is_noticed():
    mirrored = [(999 - row, column) for row, column in TRUTH]
    row = agreement([compared(mirrored, [1] * 5)], "all")
    assert (row.f1, row.flipped) == (0, 1)
    (flipped, chance) = warnings_of([row])
    assert "flipped top to bottom" in flipped and "--flip-y" in flipped
    assert "chance" in chance
    assert warnings_of([agreement([compared(TRUTH, [1] * 5)], "all")]) == []


@pytest.mark.parametrize(("picks", "truth"), [([], TRUTH), (PICKS, []), ([], [])])
def test_nothing_on_either_side(picks, truth):
    rows = evaluate([compared(picks, SCORES[: len(picks)], truth)])
    assert all(row.f1 == row.precision == row.recall == row.flipped == 0 for row in rows)
    json.dumps(as_values(rows), allow_nan=False)
    assert warnings_of(rows) == (
        ["the picks agree no better than chance: are diameter, pixel size and micrographs right?"]
        if picks
        else []
    )


def test_the_table_is_aligned_and_whole():
    lines = as_table(evaluate([compared(name="a-long-name"), compared(name="b")])).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split()[:4] == ["micrograph", "picks", "truth", "precision"]
    assert lines[1].split()[:6] == ["a-long-name", "5", "5", "0.400", "0.400", "0.400"]
    assert lines[3].startswith("all ")


def test_values_for_json_have_every_figure():
    values = as_values(evaluate([compared()]))
    assert values["micrographs"][0]["name"] == "a"
    assert set(values["all"]) == {
        *("name", "picks", "truth", "precision", "recall", "f1", "f1_full_radius"),
        *("best_f1", "best_threshold", "chance", "flipped"),
    }


def test_the_extent_holds_every_position():
    assert extent(Picks.of([(10, 20.5), (30, 4)])) == (31, 22)
    assert extent(Picks.of([])) == (1, 1)
    assert extent(Picks.of([(-5, -8)])) == (1, 1)
