from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import tifffile
from napari.utils import progress

import cryopick_napari.selftraining
from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui import learning
from cryopick_napari.gui.session import Session
from cryopick_napari.labels import Labels
from cryopick_napari.lesson import LESSON
from cryopick_napari.metrics import STRICT, score
from cryopick_napari.micrograph import spread
from cryopick_napari.picks import Picks
from cryopick_napari.project import TRAINING
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample, samples

PLAIN = {"filter_channel": False, "base_features": 8, "network_diameter": 10.0, "averaging": False}
CROPS = {"epoch_crops": 80, "patch_size": 64, "batch_size": 4, "learning_rate": 6e-3}
QUICK = {**CROPS, "initial_epochs": 5, "device": "cpu", "precision": "float32"}
LONG = {**QUICK, "initial_epochs": 200, "patience": 0}


@pytest.fixture
def labelled(opened) -> Session:
    """Give a session whose first micrograph is fully labelled."""
    truth = sample(0)[1]
    opened.edit(Labels.of_whole_field(truth, opened.field.micrograph.shape))
    return opened


@pytest.fixture
def trained(labelled, qtbot) -> Session:
    """Give a session with a model of one epoch."""
    labelled.learning.start("small", PLAIN, {**QUICK, "initial_epochs": 1, "epoch_crops": 8})
    wait_for_end(labelled, qtbot)
    return labelled


def wait_for_end(session: Session, qtbot) -> None:
    qtbot.waitUntil(lambda: not session.learning.is_running, timeout=120_000)


def wait_for_epoch(session: Session, qtbot, epoch: int = 1) -> None:
    learning = session.learning
    qtbot.waitUntil(lambda: len(learning.rows) >= epoch or not learning.is_running, timeout=120_000)
    assert learning.is_running


def training_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "cryopick training"]


def reopened(session: Session, qtbot) -> None:
    """Put the project away and open it again."""
    folder = session.project.folder
    session.open_project(folder)
    qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)


def test_pytorch_comes_with_the_first_particle(opened, qtbot, monkeypatch):
    imported = []
    monkeypatch.setattr(learning, "suggested_preset", lambda: imported.append(1) or "small")
    opened.edit(Labels(Picks.of([]), negatives=Picks.of([[50, 60]])))
    assert opened.learning._looking is None
    for count in (1, 2):
        opened.edit(Labels(Picks.of([[100, 200]] * count)))
    qtbot.waitUntil(lambda: opened.learning.suggested == "small")
    assert imported == [1]


def test_a_training_gives_a_saved_model_that_is_in_use(labelled, qtbot):
    learning, snapshots = labelled.learning, []
    labelled.model_changed.connect(lambda: snapshots.append((learning.picker, learning.model_name)))
    labelled.change(threshold=0.123)
    learning.start("small", PLAIN, QUICK)
    assert learning.is_running
    wait_for_end(labelled, qtbot)
    # a first look, the epochs, and the model
    assert [name for _, name in snapshots] == [None] * 6 + ["model 1"]
    assert len({id(picker) for picker, _ in snapshots}) == 7
    assert (labelled.settings.model, labelled.settings.threshold) == ("model 1", None)
    [record] = learning.models()
    assert (record.labels, record.micrographs) == (len(sample(0)[1]), 1)
    assert [row["epoch"] for row in record.rows] == [1, 2, 3, 4, 5] == [row["epoch"] for row in learning.rows]
    assert record.validation["recall"] == learning.picker.training["validation"]["recall"]
    micrograph, truth = sample(1)
    found = score(learning.picker.pick(micrograph), truth, STRICT * SAMPLE_DIAMETER / micrograph.spacing)
    assert found.f1 > 0.5
    assert not learning.can_resume
    assert not progress._all_instances
    assert labelled.said == []


def test_a_threshold_that_a_new_model_takes_away_is_said(trained, qtbot):
    assert "threshold" not in trained.learning.message
    trained.review.set_threshold(0.87)
    trained.learning.start("small", PLAIN, {**QUICK, "initial_epochs": 1, "epoch_crops": 8})
    wait_for_end(trained, qtbot)
    assert f"{trained.learning.picker.config.threshold:.2f}; yours was 0.87" in trained.learning.message
    assert trained.review.threshold == trained.learning.picker.config.threshold


def test_what_is_missing_is_said(session, opened, qtbot):
    with pytest.raises(CryopickError, match="label some particles first"):
        opened.learning.start(None, {}, {})
    opened.edit(Labels(sample(0)[1]))
    opened.set_size(None)
    with pytest.raises(CryopickError, match="diameter first"):
        opened.learning.start(None, {}, {})
    assert not opened.learning.is_running


def test_an_unknown_pixel_size_is_said(session, tmp_path, qtbot):
    micrograph, truth = sample(0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, micrograph.image)
    session.open_paths([path])
    qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)
    session.set_size(ParticleSize(SAMPLE_DIAMETER))
    session.edit(Labels(truth))
    with pytest.raises(CryopickError, match="pixel size is unknown: type it under Micrographs"):
        session.learning.start("small", {}, QUICK)
    session.open_paths(samples()[1:2])  # whose pixel size is known: only the job finds out
    qtbot.waitUntil(lambda: session.spacing is not None, timeout=10_000)
    session.learning.start("small", {}, QUICK)
    wait_for_end(session, qtbot)
    assert any("pixel size of a.tif is unknown" in said for said in session.said)
    session.set_size(ParticleSize(55, in_angstrom=False))
    session.learning.start("small", PLAIN, {**QUICK, "initial_epochs": 1, "epoch_crops": 8})
    wait_for_end(session, qtbot)
    assert session.learning.picker.config.spacing is None
    assert session.learning.model_name == "model 1"


def test_few_clicks_are_warned_of(opened, qtbot):
    opened.edit(Labels(sample(0)[1].where(np.arange(3))))
    said = []
    opened.learning.progressed.connect(lambda _: said.append(opened.learning.message))
    opened.learning.start("small", PLAIN, {**QUICK, "initial_epochs": 1, "epoch_crops": 8})
    wait_for_end(opened, qtbot)
    assert "Only 3 particles are labelled" in said[0]
    assert opened.learning.model_name == "model 1"


def test_stopping_keeps_the_best_and_can_go_on(labelled, qtbot):
    learning = labelled.learning
    learning.start("small", PLAIN, {**QUICK, "initial_epochs": 6, "patience": 0})
    wait_for_epoch(labelled, qtbot, 2)
    learning.stop()
    assert learning.is_stopping
    wait_for_end(labelled, qtbot)
    assert learning.model_name == "model 1"
    done = len(learning.rows)
    assert 2 <= done < 6
    assert learning.can_resume
    learning.resume()
    wait_for_end(labelled, qtbot)
    assert learning.model_name == "model 2"
    assert [row["epoch"] for row in learning.rows] == [1, 2, 3, 4, 5, 6]
    assert not learning.can_resume


def test_nothing_is_kept_of_less_than_an_epoch(trained, qtbot):
    before = trained.learning.picker
    trained.learning.start("small", PLAIN, {**LONG, "epoch_crops": 4000})
    qtbot.waitUntil(lambda: trained.learning.progress and trained.learning.progress.step > 0, timeout=60_000)
    trained.learning.stop()
    wait_for_end(trained, qtbot)
    assert "Stopped before the first epoch" in trained.learning.message
    assert trained.learning.picker is before
    assert len(trained.learning.models()) == 1
    assert not trained.learning.can_resume


def test_a_closed_window_leaves_no_thread_and_the_training_can_go_on(labelled, qtbot, make_napari_viewer):
    folder = labelled.project.folder
    labelled.learning.start("small", PLAIN, {**QUICK, "initial_epochs": 4, "patience": 0})
    wait_for_epoch(labelled, qtbot)
    labelled.close()
    assert training_threads() == []
    assert not progress._all_instances
    assert (folder / TRAINING).exists()
    other = Session.of(make_napari_viewer(show=True))
    other.open_project(folder)
    assert other.learning.can_resume
    other.learning.resume()
    wait_for_end(other, qtbot)
    assert [row["epoch"] for row in other.learning.rows] == [1, 2, 3, 4]
    assert other.learning.model_name == "model 1"
    other.close()


def test_another_project_ends_the_training(labelled, qtbot, tmp_path):
    labelled.learning.start("small", PLAIN, LONG)
    wait_for_epoch(labelled, qtbot)
    folder = labelled.project.folder
    labelled.open_project(tmp_path / "other")
    assert not labelled.learning.is_running
    assert labelled.learning.picker is None
    assert labelled.learning.rows == []
    qtbot.waitUntil(lambda: not training_threads(), timeout=20_000)
    assert labelled.learning.picker is None  # what was on its way is not heard of
    labelled.open_project(folder)
    assert labelled.learning.can_resume


def test_a_project_that_moves_while_training_gets_the_model(labelled, qtbot, tmp_path):
    labelled.learning.start("small", PLAIN, LONG)
    wait_for_epoch(labelled, qtbot)
    labelled.save_project_as(tmp_path / "kept")
    assert labelled.learning.is_running
    labelled.learning.stop()
    wait_for_end(labelled, qtbot)
    assert [record.name for record in labelled.learning.models()] == ["model 1"]
    assert (tmp_path / "kept" / "models" / "model 1.safetensors").exists()


def breaking(real, error: Exception, after: int):
    """Make a training that fails after so many epochs."""

    def train(*arguments: object) -> Iterator[object]:
        job, epochs = real(*arguments), 0
        for step in job:
            yield step
            epochs += step.picker is not None
            if epochs == after:
                raise error

    return train


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("sizes do not match"), "something unexpected happened"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "not enough memory"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_an_error_is_said_and_the_best_stays_in_use(labelled, qtbot, monkeypatch, error, words):
    real = cryopick_napari.selftraining.train
    monkeypatch.setattr(cryopick_napari.selftraining, "train", breaking(real, error, 2))
    learning = labelled.learning
    learning.start("small", PLAIN, {**QUICK, "epoch_crops": 16})
    wait_for_end(labelled, qtbot)
    assert words in learning.message
    assert any(words in said for said in labelled.said)
    assert learning.picker is not None
    assert learning.model_name is None
    assert learning.can_resume
    assert not progress._all_instances
    monkeypatch.undo()
    learning.start("small", PLAIN, {**QUICK, "initial_epochs": 1, "epoch_crops": 8})
    wait_for_end(labelled, qtbot)
    assert learning.model_name == "model 1"


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"held_out": 2.0}, "held-out part"), ({"device": "cuda:9"}, "no device")],
)
def test_settings_that_cannot_be_are_said(labelled, qtbot, settings, words):
    labelled.learning.start("small", PLAIN, {**QUICK, **settings})
    wait_for_end(labelled, qtbot)
    assert words in labelled.learning.message
    assert any(words in said for said in labelled.said)
    assert not labelled.learning.can_resume


def test_a_micrograph_that_is_gone_is_said(session, qtbot, tmp_path):
    path = tmp_path / "field.mrc"
    path.write_bytes(samples()[0].read_bytes())
    session.open_paths([path])
    qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)
    session.set_size(ParticleSize(SAMPLE_DIAMETER))
    session.edit(Labels(sample(0)[1]))
    path.unlink()
    session.learning.start("small", PLAIN, QUICK)
    wait_for_end(session, qtbot)
    assert any("field.mrc" in said for said in session.said)
    assert not session.learning.is_running


def test_only_one_training_runs(labelled, qtbot):
    labelled.learning.start("small", PLAIN, LONG)
    for action in (
        lambda: labelled.learning.start("small", PLAIN, QUICK),
        lambda: labelled.learning.use("model 1"),
    ):
        with pytest.raises(CryopickError, match="stop"):
            action()


def test_the_model_of_a_project_is_loaded_when_it_is_opened(trained, qtbot):
    trained.change(threshold=0.25)
    reopened(trained, qtbot)
    qtbot.waitUntil(lambda: trained.learning.picker is not None, timeout=20_000)
    assert trained.learning.model_name == "model 1"
    assert len(trained.learning.rows) == 1
    assert trained.settings.threshold == 0.25  # a person's own: opening does not take it away


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\0" * 99)])
def test_a_damaged_model_is_said(trained, qtbot, damage):
    damage(trained.project.models.file("model 1"))
    reopened(trained, qtbot)
    qtbot.waitUntil(lambda: bool(trained.said), timeout=20_000)
    assert "model 1.safetensors" in trained.said[0]
    assert trained.learning.picker is None


def test_models_are_renamed_and_chosen(trained, qtbot):
    learning = trained.learning
    learning.start("small", PLAIN, {**QUICK, "initial_epochs": 1, "epoch_crops": 8})
    wait_for_end(trained, qtbot)
    learning.rename("model 2", " ribosomes ")
    assert learning.model_name == trained.settings.model == "ribosomes"
    trained.change(threshold=0.9)
    learning.use("model 1")
    qtbot.waitUntil(lambda: learning.model_name == "model 1", timeout=20_000)
    assert (trained.settings.model, trained.settings.threshold) == ("model 1", None)
    with pytest.raises(CryopickError, match="already"):
        learning.rename("model 1", "ribosomes")
    with pytest.raises(CryopickError, match="cannot be"):
        learning.rename("model 1", "a/b")
    assert [record.name for record in learning.models()] == ["model 1", "ribosomes"]


def test_a_model_goes_out_and_in(trained, qtbot, tmp_path):
    learning, path = trained.learning, tmp_path / "taken.safetensors"
    learning.export_model("model 1", path)
    qtbot.waitUntil(path.exists, timeout=20_000)
    learning.import_model(path)
    qtbot.waitUntil(lambda: learning.model_name == "taken", timeout=20_000)
    assert learning.models()[1].validation["recall"] == learning.models()[0].validation["recall"]
    learning.import_model(path)  # the name is taken: it gets another
    qtbot.waitUntil(lambda: learning.model_name == "model 2", timeout=20_000)
    learning.import_model(samples()[0])
    qtbot.waitUntil(lambda: bool(trained.said), timeout=20_000)
    assert learning.model_name == "model 2"


def test_a_damaged_interrupted_training_is_said(trained):
    folder = trained.project.folder
    (folder / TRAINING).write_bytes(b"")
    (folder / LESSON).write_text("{}")
    with pytest.raises(CryopickError, match="train anew"):
        trained.learning.resume()


def test_self_training_learns_from_unlabelled_micrographs(labelled, qtbot):
    phases, rounds = set(), {"self_training_iterations": 1, "retrain_epochs": 1, "positive_threshold": 0.6}
    labelled.learning.progressed.connect(lambda progress: phases.add(progress.phase))
    labelled.learning.start("small", PLAIN, {**QUICK, "initial_epochs": 3, **rounds})
    wait_for_end(labelled, qtbot)
    assert "self-training" in phases
    assert labelled.learning.model_name == "model 1"
    assert labelled.learning.picker.training["self_training_iterations"] == 1


def test_unlabelled_micrographs_are_chosen_evenly():
    paths = [*map(str, range(100))]
    assert spread(paths, 4) == ("0", "25", "50", "75")
    assert spread(paths[:3], 4) == ("0", "1", "2")
    assert spread([], 4) == ()
