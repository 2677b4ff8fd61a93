from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.labels import Labels
from cryopick_napari.material import Choice, Material, chosen, corrected, gathered
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project

SIZE = ParticleSize(20, in_angstrom=False)
PICKS = Picks.of([(50, 50), (50, 150), (150, 50), (150, 150)], [0.9, 0.8, 0.6, 0.3])


def material(labels: Labels | None = None, picks: Picks | None = PICKS, **known) -> Material:
    return Material(Path("a.mrc"), labels or Labels(Picks.of([])), picks, (200, 200), **known)


def places(picks: Picks) -> list[list[float]]:
    return picks.yx.tolist()


def test_labels_correct_picks():
    labels = Labels(positives=Picks.of([(52, 50), (100, 100)]), negatives=Picks.of([(51, 150)]))
    found = corrected(PICKS.above(0.5), labels, 20)
    # the label at (52, 50) is the pick at (50, 50); (50, 150) was rejected; (100, 100) was missed
    assert places(found) == [[50, 50], [150, 50], [100, 100]]


def test_rejecting_one_of_two_picks_on_a_particle_leaves_the_other():
    double = Picks.of([(50, 50), (57, 50)], [0.9, 0.8])
    assert places(corrected(double, Labels(Picks.of([]), Picks.of([(57, 50)])), 20)) == [[50, 50]]


def test_sources():
    area = np.array([(140, 40), (140, 60), (160, 60), (160, 40)], np.float32)
    labels = Labels(Picks.of([(100, 100), (150, 55)]), excluded=(area,))
    found = {
        source: chosen(material(labels), Choice(source, size=SIZE))
        for source in ("corrected", "picks", "labels")
    }
    assert places(found["picks"]) == places(PICKS.above(0.5))  # as the model made them
    assert places(found["corrected"]) == [[50, 50], [50, 150], [100, 100]]
    assert places(found["labels"]) == [[100, 100]]


def test_border_and_distance():
    assert len(chosen(material(), Choice("picks", 0.1, border=49, size=SIZE))) == 4
    assert len(chosen(material(), Choice("picks", 0.1, border=51, size=SIZE))) == 0
    near = Picks.of([(50, 50), (50, 59.9), (50, 69)], [0.9, 0.8, 0.7])
    kept = chosen(material(picks=near), Choice("picks", 0.1, min_distance=0.6, size=SIZE))
    assert places(kept) == [[50, 50], [50, 69]]


def test_nothing_is_chosen_from_nothing():
    assert chosen(material(picks=None), Choice(size=SIZE)) is None
    assert chosen(material(), Choice("labels", size=SIZE)) is None
    # a micrograph without a pick above the threshold was picked all the same
    assert len(chosen(material(), Choice("picks", 0.95))) == 0


def test_what_is_missing_is_said():
    with pytest.raises(CryopickError, match="cut short"):
        chosen(material(problem="a.mrc: is cut short"), Choice("picks"))
    with pytest.raises(CryopickError, match="pixel size"):
        chosen(material(), Choice("corrected", size=ParticleSize(100)))


def test_gathering_reads_headers_labels_and_the_picks_of_one_model(tmp_path):
    project = Project.opened(tmp_path / "project")
    paths = [tmp_path / f"{name}.mrc" for name in "abc"]
    for path in paths[:2]:
        write_mrc(path, np.random.default_rng(0).normal(size=(40, 60)).astype(np.float32), (2.0, 2.0))
    paths[2].write_bytes(b"no micrograph")
    project.save_picks(paths[0], PICKS, "model 1")
    project.save_picks(paths[1], PICKS, "model 2")
    project.save_labels(paths[0], Labels(Picks.of([(1, 2)])))
    newer = {paths[1]: Labels(Picks.of([(3, 4)]))}
    first, second, third = gathered(project, paths, "model 1", labels=newer)
    assert (first.shape, first.spacing, len(first.picks)) == ((40, 60), pytest.approx(2.0), 4)
    assert places(first.labels.positives) == [[1, 2]]
    assert second.picks is None and places(second.labels.positives) == [[3, 4]]
    assert "c.mrc" in third.problem and third.picks is None
