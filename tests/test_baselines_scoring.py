"""Figures of a comparison, from a method that knows the truth or part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from drawing import drawn_micrograph

from cryopick_napari.baselines.boxes import splatted
from cryopick_napari.baselines.method import Learned, Seen
from cryopick_napari.baselines.report import as_markdown, write_report
from cryopick_napari.baselines.scoring import has_plateau, outcome, precision_recall
from cryopick_napari.labels import Example, Labels
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import to_network_scale

DIAMETER = 20
GRID = np.stack(np.meshgrid(np.arange(20, 200, 40), np.arange(20, 240, 40), indexing="ij"), -1).reshape(-1, 2)
FLAT = tuple((float(second), -1.0 + 0.01 * second) for second in range(1, 11))
FALLING = tuple((float(second), second - 11.0) for second in range(1, 11))


@dataclass(frozen=True)
class Oracle:
    """Sees these picks."""

    picks: Picks
    threshold: float = 0.5
    parameters: int = 1234

    def look(self, micrograph: Micrograph) -> Seen:
        scaled = to_network_scale(micrograph, DIAMETER, 10)
        picks = Picks(scaled.from_source(self.picks.yx), self.picks.score)
        shape = (scaled.image.shape[0], scaled.image.shape[1])
        return Seen(scaled, splatted(picks, shape, 10), self.picks)


@pytest.fixture
def field():
    micrograph = drawn_micrograph(GRID, (200, 240))
    return Example(micrograph, Labels.of_whole_field(Picks.of(GRID), (200, 240)))


def judged(picks, *fields, curve=FLAT, method="unet", seed=0):
    return outcome(method, seed, Learned(Oracle(picks), curve, 10.0), fields, DIAMETER)


def test_the_truth_is_perfect(field):
    found = judged(Picks.of(GRID), field, field)
    assert (found.f1, found.precision, found.recall, found.best_f1) == (1, 1, 1, 1)
    assert found.auc == pytest.approx(1, abs=0.01)
    assert found.false_positives == 0
    assert found.converged
    assert found.chance < 0.3
    assert (found.parameters, found.training_seconds) == (1234, 10)


def test_wrong_and_missed_picks_are_counted(field):
    wrong = GRID[:6] + 20
    picks = Picks.of([*GRID[:15], *wrong], [0.9] * 15 + [0.6] * 6)
    found = judged(picks, field)
    assert found.precision == pytest.approx(15 / 21)
    assert found.recall == pytest.approx(15 / 30)
    assert found.false_positives == pytest.approx(6)
    assert found.best_f1 == pytest.approx(2 * 15 / (15 + 30))  # without the wrong ones
    assert found.auc < 0.95


def test_picks_below_the_threshold_count_for_the_best_only(field):
    found = judged(Picks.of(GRID, [0.9] * 10 + [0.4] * 20), field)
    assert found.recall == pytest.approx(10 / 30)
    assert found.best_f1 == 1


def test_a_method_converged_if_its_last_quarter_brought_little():
    assert has_plateau((*FLAT[:8], (9.0, -0.9), (10.0, -0.9)), 10)
    assert not has_plateau(FALLING, 10)
    assert not has_plateau((), 10)
    assert not has_plateau(((10.0, -1.0),), 10)
    assert has_plateau(((7.0, -1.0), (9.0, -0.96)), 10)
    assert not has_plateau(((7.0, -1.0), (9.0, -0.95)), 10)


def test_what_never_learned_has_not_converged(field):
    rng = np.random.default_rng(0)
    found = judged(Picks.of(rng.uniform(0, 200, (30, 2))), field)
    assert found.best_f1 < 0.5
    assert not found.converged


def test_precision_and_recall_at_falling_thresholds():
    picks = Picks.of([[0, 0], [50, 50], [10, 10]], [0.9, 0.8, 0.7])
    truth = Picks.of([[0, 1], [10, 9]])
    assert precision_recall([(picks, truth)], 2) == ((0.5, 1), (0.5, 0.5), (1, pytest.approx(2 / 3)))
    assert precision_recall([(Picks.of([]), truth)], 2) == ()


def test_the_table_has_a_line_a_method_and_one_a_run(field, tmp_path):
    good, poor = Picks.of(GRID), Picks.of(GRID[:5] + 20)
    outcomes = [
        judged(good, field, seed=1),
        judged(Picks.of(GRID[:10]), field, seed=2),
        judged(good, field, curve=FALLING, method="detr", seed=1),
        judged(poor, field, method="detr", seed=2),
    ]
    lines = as_markdown(outcomes).splitlines()
    assert lines[2].startswith("| Standard U-Net | 0.750 |")
    assert lines[2].endswith("| yes |")
    assert "| 1,234 | 10 |" in lines[2]
    assert lines[3].endswith("| not converged (2 of 2 runs) |")
    assert len([line for line in lines if line.startswith(("| 1 |", "| 2 |"))]) == 4
    write_report(tmp_path, outcomes)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("comparison.csv", "comparison.md", "comparison.png"),
    ]
    head, *rows = (tmp_path / "comparison.csv").read_text().splitlines()
    assert head.startswith("method,seed,f1,precision,recall,best_f1,auc,")
    assert "curve" not in head
    assert len(rows) == 4


def test_one_seed_needs_no_medians(field):
    text = as_markdown([judged(Picks.of(GRID), field)])
    assert "Medians" not in text
    assert text.count("Standard U-Net") == 1
