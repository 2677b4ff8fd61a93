from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QTimer
from trained import trained_picker, use

from cryopick_napari.gui import asker
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.labels import Labels
from cryopick_napari.metrics import STRICT, score
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample, samples


@pytest.fixture(scope="module")
def picker():
    return trained_picker()


@pytest.fixture
def reviewed(opened, picker, qtbot):
    """Give a session with a model in use that has looked at the first sample."""
    use(opened, picker)
    wait(opened, qtbot)
    return opened


def wait(session, qtbot):
    review = session.review
    qtbot.waitUntil(lambda: not review.is_running and review.overlays.is_drawn, timeout=30_000)


def go(session, number, qtbot):
    session.go(samples()[number])
    qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)


def shown_names(session):
    return [layer.name for layer in session.viewer.layers]


def layer_of(session, kind):
    return session.canvas.layer(kind)


def test_without_a_model_there_is_nothing(opened):
    review = opened.review
    assert not review.is_running
    assert len(review.picks) == 0
    assert review.levels == 0
    assert shown_names(opened) == ["sample-0-plain", "particles"]


def test_a_model_in_use_picks_the_micrograph_that_is_looked_at(reviewed, picker):
    review = reviewed.review
    micrograph, truth = sample(0)
    expected = picker.pick(micrograph, threshold=0)
    np.testing.assert_allclose(review.picks.yx, expected.yx, atol=1e-3)
    assert review.threshold == picker.config.threshold
    found = score(review.picks.above(review.threshold), truth, STRICT * SAMPLE_DIAMETER / micrograph.spacing)
    assert found.precision > 0.3  # chance is below 0.1; a model of a few seconds misses many
    layer = layer_of(reviewed, Kind.PICKS)
    np.testing.assert_array_equal(layer.data, review.picks.yx)
    np.testing.assert_array_equal(layer.size > 0, review.picks.score >= review.threshold)
    assert not reviewed.said


def test_picks_of_a_named_model_are_saved(reviewed, qtbot):
    rows = []
    reviewed.row_changed.connect(rows.append)
    go(reviewed, 1, qtbot)
    wait(reviewed, qtbot)
    for path in samples()[:2]:
        picks, model = reviewed.project.picks(path)
        assert model == "model 1"
        assert len(picks) > 10
    assert rows == [samples()[1]]


def test_saved_picks_are_shown_before_the_model_has_looked(reviewed, qtbot):
    saved = Picks.of([[100, 200], [300, 400]], [0.9, 0.1])
    reviewed.project.save_picks(samples()[1], saved, "model 1")
    reviewed.project.save_picks(samples()[3], saved, "another model")
    counts = []
    reviewed.field_shown.connect(lambda: counts.append(len(reviewed.review.picks)))
    for number in (1, 3):
        go(reviewed, number, qtbot)
        assert reviewed.review.is_running
        wait(reviewed, qtbot)
    assert counts == [2, 0]
    assert len(reviewed.review.picks) > 10


@pytest.mark.parametrize("number", [0, 1])
def test_maps_lie_where_the_network_saw_them(reviewed, number, qtbot):
    go(reviewed, number, qtbot)
    wait(reviewed, qtbot)
    review, picker = reviewed.review, reviewed.learning.picker
    micrograph = reviewed.field.micrograph
    scaled = picker.upright(picker.scale(micrograph))
    layer = layer_of(reviewed, Kind.PROBABILITY)
    np.testing.assert_allclose(layer.data, picker.probability(scaled), atol=1e-5)
    pixels = np.array([[0, 0], [17, 31], np.array(layer.data.shape) - 1])
    placed = [layer.data_to_world(pixel) for pixel in pixels]
    np.testing.assert_allclose(placed, scaled.to_source(pixels), atol=0.1)
    # The best pick stands on the brightest place of the map.
    top = np.unravel_index(layer.data.argmax(), layer.data.shape)
    reach = max(scaled.ratio)
    assert np.linalg.norm(layer.data_to_world(top) - review.picks.yx, axis=1).min() < reach
    for level, plane in enumerate(picker.attention(scaled).values()):
        review.overlays.choose(level)
        layer = layer_of(reviewed, Kind.ATTENTION)
        np.testing.assert_allclose(layer.data, plane, atol=1e-5)
        # A pixel of a level stands for a block of network pixels; its middle is theirs.
        pixel = np.array([5, 7])
        block = pixel * 2**level + (2**level - 1) / 2
        np.testing.assert_allclose(layer.data_to_world(pixel), scaled.to_source(block), atol=0.1)
        corner = np.array(layer.data_to_world(np.array(plane.shape) - 0.5))
        assert (corner >= np.array(micrograph.shape) - max(scaled.ratio)).all()


def test_attention_is_hidden_until_it_is_chosen_and_the_choice_lasts(reviewed, qtbot):
    review = reviewed.review
    assert review.levels == 3
    assert layer_of(reviewed, Kind.PROBABILITY).visible
    assert not layer_of(reviewed, Kind.ATTENTION).visible
    review.show_overlay(Kind.ATTENTION, True)
    layer_of(reviewed, Kind.PROBABILITY).visible = False  # by the eye in the layer list
    layer_of(reviewed, Kind.ATTENTION).opacity = 0.25
    review.overlays.choose(2)
    go(reviewed, 1, qtbot)
    wait(reviewed, qtbot)
    assert layer_of(reviewed, Kind.ATTENTION).visible
    assert layer_of(reviewed, Kind.ATTENTION).opacity == 0.25
    assert not layer_of(reviewed, Kind.PROBABILITY).visible
    rows, columns = layer_of(reviewed, Kind.PROBABILITY).data.shape
    assert layer_of(reviewed, Kind.ATTENTION).data.shape == (-(-rows // 4), -(-columns // 4))


def test_a_model_without_gates_has_no_attention(reviewed, qtbot):
    assert layer_of(reviewed, Kind.ATTENTION) is not None
    use(reviewed, trained_picker("none"), "plain")
    wait(reviewed, qtbot)
    assert reviewed.review.levels == 0
    assert reviewed.canvas.is_empty(Kind.ATTENTION)
    assert layer_of(reviewed, Kind.PROBABILITY) is not None


def test_the_active_layer_stays_the_active_one(opened, picker, qtbot):
    layers = opened.viewer.layers
    active = layers.selection.active
    assert active is layer_of(opened, Kind.POSITIVES)
    use(opened, picker)
    wait(opened, qtbot)
    opened.review.select(0)
    opened.review.show_overlay(Kind.ATTENTION, True)
    assert layers.selection.active is active
    assert set(layers.selection) == {active}


def test_new_layers_come_one_by_one(opened, picker, qtbot):
    events = []
    opened.viewer.layers.events.inserted.connect(lambda event: events.append(event.value.name))
    turns = QTimer()
    turns.timeout.connect(lambda: events.append("a turn of the window"))
    turns.start(1)
    use(opened, picker)
    wait(opened, qtbot)
    turns.stop()
    kept = [event for event, before in zip(events, [None, *events], strict=False) if event != before]
    turn = "a turn of the window"
    assert kept[:6] == [turn, "picks", turn, "probability", turn, "attention"]


def test_layers_that_a_person_deletes_come_back_when_asked_for(reviewed, picker, qtbot):
    for kind in (Kind.PROBABILITY, Kind.ATTENTION, Kind.PICKS):
        reviewed.viewer.layers.remove(layer_of(reviewed, kind))
    use(reviewed, picker, "model 2")  # the next look finds them gone
    wait(reviewed, qtbot)
    assert not layer_of(reviewed, Kind.PROBABILITY).visible
    reviewed.viewer.layers.remove(layer_of(reviewed, Kind.PROBABILITY))
    for kind in (Kind.PROBABILITY, Kind.ATTENTION, Kind.PICKS):
        reviewed.review.show_overlay(kind, True)
        assert layer_of(reviewed, kind).visible
    assert len(layer_of(reviewed, Kind.PICKS).data) == len(reviewed.review.picks)
    assert not reviewed.said


def test_another_display_filter_leaves_the_maps(reviewed, qtbot):
    from cryopick_napari.display import DisplayFilter

    before = layer_of(reviewed, Kind.MICROGRAPH).data
    reviewed.set_display(DisplayFilter(None))
    qtbot.waitUntil(lambda: layer_of(reviewed, Kind.MICROGRAPH).data is not before, timeout=10_000)
    assert layer_of(reviewed, Kind.PROBABILITY) is not None
    assert len(layer_of(reviewed, Kind.PICKS).data) == len(reviewed.review.picks)


def test_answers_about_a_micrograph_that_was_left_are_dropped(opened, picker, qtbot):
    drawn = []
    opened.review.picks_changed.connect(lambda: drawn.append((opened.current, len(opened.review.picks))))
    use(opened, picker)
    go(opened, 1, qtbot)  # before the answer is there
    assert opened.review.is_running
    wait(opened, qtbot)
    micrograph, _ = sample(1)
    expected = picker.pick(micrograph, threshold=0)
    np.testing.assert_allclose(opened.review.picks.yx, expected.yx, atol=1e-3)
    assert {path for path, count in drawn if count} == {samples()[1]}
    assert opened.project.picks(samples()[0]) is None


def test_snapshots_of_a_training_are_looked_at_now_and_then(opened, picker, qtbot, monkeypatch):
    monkeypatch.setattr(asker, "DRAFT_EVERY", 0.5)
    review, looks, begun = opened.review, [], time.monotonic()
    review.picks_changed.connect(lambda: looks.append(time.monotonic()))
    snapshots = [replace(picker, config=replace(picker.config, threshold=t / 100)) for t in range(1, 31)]
    for snapshot in snapshots:
        use(opened, snapshot, None)
        qtbot.wait(40)
    wait(opened, qtbot)
    assert 2 <= len(looks) <= 2 + (time.monotonic() - begun) / 0.5
    assert len(looks) < len(snapshots)
    assert review.threshold == 0.3
    # one view instead of eight, and nothing is written
    plain = replace(picker, config=replace(picker.config, averaging=False))
    expected = plain.picks(plain.probability(plain.scale(sample(0)[0])), plain.scale(sample(0)[0]))
    np.testing.assert_allclose(review.picks.yx, expected.yx, atol=1e-3)
    assert opened.project.picks(samples()[0]) is None


def test_a_snapshot_arrives_while_another_field_is_shown(opened, picker, qtbot):
    use(opened, picker, None)
    go(opened, 1, qtbot)
    use(opened, replace(picker), None)
    wait(opened, qtbot)
    layer = layer_of(opened, Kind.PROBABILITY)
    covered = np.array(layer.data.shape) * layer.scale
    np.testing.assert_allclose(covered, opened.field.micrograph.shape, rtol=1e-3)
    use(opened, picker, "model 1")  # the training ends
    wait(opened, qtbot)
    assert opened.project.picks(samples()[1])[1] == "model 1"


def test_a_real_training_shows_what_it_learns(opened, qtbot):
    from cryopick_napari.labels import Labels

    opened.edit(Labels.of_whole_field(sample(0)[1], opened.field.micrograph.shape))
    plan = {"initial_epochs": 3, "epoch_crops": 16, "device": "cpu", "precision": "float32", "patience": 0}
    opened.learning.start("small", {"filter_channel": False}, plan)
    qtbot.waitUntil(lambda: len(opened.review.picks) > 0, timeout=60_000)
    assert opened.learning.is_running
    assert opened.learning.model_name is None
    qtbot.waitUntil(lambda: not opened.learning.is_running, timeout=120_000)
    wait(opened, qtbot)
    assert opened.project.picks(samples()[0])[1] == opened.learning.model_name == "model 1"
    assert not opened.said


def test_the_threshold_shows_and_hides_at_once(opened, qtbot):
    rng = np.random.default_rng(0)
    review = opened.review
    review.show(Picks.of(rng.uniform(0, 900, (2000, 2)), rng.uniform(0, 1, 2000)))
    layer = layer_of(opened, Kind.PICKS)
    took = []
    for threshold in np.linspace(0.1, 0.9, 21):
        start = time.perf_counter()
        review.set_threshold(float(threshold))
        took.append(time.perf_counter() - start)
        np.testing.assert_array_equal(layer.size > 0, review.picks.score >= threshold)
    assert np.median(took) < 0.05


def test_hidden_picks_are_not_drawn(reviewed):
    review, viewer = reviewed.review, reviewed.viewer
    review.show_overlay(Kind.PROBABILITY, False)
    layer = layer_of(reviewed, Kind.PICKS)
    pictures = {}
    for threshold in (0.0, 1.0):
        review.set_threshold(threshold)
        pictures[threshold] = viewer.screenshot(canvas_only=True, flash=False)
    layer.visible = False
    without = viewer.screenshot(canvas_only=True, flash=False)
    np.testing.assert_array_equal(pictures[1.0], without)
    assert (pictures[0.0] != without).any(axis=-1).mean() > 0.05


def test_the_threshold_is_kept_when_the_slider_rests(reviewed, picker, qtbot):
    review, project = reviewed.review, reviewed.project
    for threshold in (0.2, 0.3, 0.4):
        review.set_threshold(threshold)
        assert review.threshold == threshold
    assert reviewed.settings.threshold is None
    qtbot.waitUntil(lambda: reviewed.settings.threshold == 0.4, timeout=2000)
    reviewed.flush()
    assert project.settings().threshold == 0.4
    review.set_threshold(None)
    assert review.threshold == picker.config.threshold
    review.set_threshold(0.6)
    reviewed.close()  # before it rests
    assert project.settings().threshold == 0.6


def test_the_least_distance_needs_no_new_maps(reviewed, qtbot, monkeypatch):
    from cryopick_napari.picker import Picker

    review, before = reviewed.review, len(reviewed.review.picks)
    monkeypatch.setattr(Picker, "scale", None)  # nothing is computed anew
    monkeypatch.setattr(Picker, "probability", None)
    review.set_min_distance(2.0)
    wait(reviewed, qtbot)
    assert not reviewed.said
    assert 0 < len(review.picks) < before
    apart = np.linalg.norm(review.picks.yx[:, None] - review.picks.yx, axis=-1)
    assert apart[~np.eye(len(apart), dtype=bool)].min() >= 2 * SAMPLE_DIAMETER / 3 * 0.99
    assert len(reviewed.project.picks(samples()[0])[0]) == len(review.picks)
    review.set_min_distance(None)
    wait(reviewed, qtbot)
    assert len(review.picks) == before


def test_accepting_and_rejecting_are_steps_that_can_be_undone(reviewed):
    review = reviewed.review
    picks = review.picks
    review.accept([0, 1, 2])
    np.testing.assert_array_equal(reviewed.labels.positives.yx, picks.yx[:3])
    review.reject([1, 5])
    np.testing.assert_array_equal(reviewed.labels.positives.yx, picks.yx[[0, 2]])
    np.testing.assert_array_equal(reviewed.labels.negatives.yx, picks.yx[[1, 5]])
    accepted, rejected = review.judged()
    assert np.flatnonzero(accepted).tolist() == [0, 2]
    assert np.flatnonzero(rejected).tolist() == [1, 5]
    assert review.picks is picks
    reviewed.undo()
    assert len(reviewed.labels.positives) == 3
    assert len(reviewed.labels.negatives) == 0
    reviewed.undo()
    assert len(reviewed.labels.positives) == 0


def test_accepting_all_leaves_what_was_rejected(reviewed):
    review = reviewed.review
    shown = int(review.is_shown().sum())
    review.reject([0])
    review.accept_all()
    assert len(reviewed.labels.positives) == shown - 1
    assert len(reviewed.labels.negatives) == 1
    reviewed.undo()
    assert len(reviewed.labels.positives) == 0
    review.set_threshold(1.0)
    assert not reviewed.guarded(review.accept_all)
    assert reviewed.said == ["no pick is left to accept: lower the threshold"]


def test_picks_in_an_excluded_area_are_gone_until_it_is_taken_back(reviewed):
    review, session = reviewed.review, reviewed
    before = review.picks
    corners = np.float32([(0, 0), (0, 480), (480, 480), (480, 0)])
    inside = (before.yx < 480).all(axis=1)
    assert inside.any() and not inside.all()
    labels = session.labels
    session.edit(Labels(labels.positives, labels.negatives, labels.complete, (corners,)))
    assert not (review.picks.yx < 479).all(axis=1).any()
    assert abs(len(review.picks) - (~inside).sum()) <= 2  # the very edge
    assert len(layer_of(session, Kind.PICKS).data) == len(review.picks)
    session.undo()
    np.testing.assert_array_equal(review.picks.yx, before.yx)


def test_only_shown_picks_are_within_a_circle(reviewed):
    review = reviewed.review
    everything = review.within((480, 480), 1e6)
    assert everything == np.flatnonzero(review.picks.score >= review.threshold).tolist()
    near = review.within(tuple(review.picks.yx[3]), 1.0)
    assert near == [3]
    assert review.within((-1000, -1000), 5) == []


def test_the_most_uncertain_come_first_and_none_twice(reviewed):
    review = reviewed.review
    seen = []
    for _ in range(5):
        review.next_uncertain()
        seen.append(review.index)
        np.testing.assert_allclose(
            reviewed.viewer.scene.camera.center[-2:], review.picks.yx[review.index], atol=1e-3
        )
    doubt = np.abs(review.picks.score - review.threshold)
    assert seen == np.argsort(doubt, kind="stable")[:5].tolist()
    review.set_threshold(0.9)  # other picks are uncertain now
    doubt = np.abs(review.picks.score - 0.9)
    order = np.argsort(doubt, kind="stable").tolist()
    review.accept(order[:1])
    review.next_uncertain()
    assert review.index == order[1]


def test_the_uncertain_go_round_until_all_have_labels(reviewed):
    review = reviewed.review
    review.show(review.picks.where(np.arange(len(review.picks)) < 3))
    indices = []
    for _ in range(4):
        review.next_uncertain()
        indices.append(review.index)
    assert sorted(indices[:3]) == [0, 1, 2]
    assert indices[3] == indices[0]
    review.accept([0, 1])
    review.reject([2])
    assert not reviewed.guarded(review.next_uncertain)
    assert reviewed.said == ["no pick is without a label here: go on to the next micrograph"]


def test_the_selected_pick_is_framed_and_brought_into_view(reviewed, qtbot):
    review, viewer = reviewed.review, reviewed.viewer
    said = []
    review.selected.connect(said.append)
    viewer.scene.camera.zoom = 8
    viewer.scene.camera.center = (0, *review.picks.yx[0])
    qtbot.wait(100)
    review.select(0)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], review.picks.yx[0], atol=1e-3)  # as it was
    far = int(np.linalg.norm(review.picks.yx - review.picks.yx[0], axis=1).argmax())
    review.select(far)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], review.picks.yx[far], atol=1e-3)
    np.testing.assert_allclose(layer_of(reviewed, Kind.SELECTED).data[0], review.picks.yx[far])
    review.select(None)
    assert len(layer_of(reviewed, Kind.SELECTED).data) == 0
    assert said == [0, far, -1]


def test_the_selected_pick_stays_so_when_the_model_looks_again(reviewed, picker, qtbot):
    review = reviewed.review
    review.select(4)
    place = review.picks.yx[4]
    use(reviewed, picker, None)
    wait(reviewed, qtbot)
    np.testing.assert_allclose(review.picks.yx[review.index], place, atol=10)
    go(reviewed, 1, qtbot)
    assert review.index is None


def test_a_failing_look_is_said_once(opened, picker, qtbot):
    broken = replace(picker, config=replace(picker.config, diameter=0.001, network_diameter=10_000))
    broken = replace(broken, network=None)
    for _ in range(2):
        use(opened, broken, None)
        wait(opened, qtbot)
    assert len(opened.said) == 1
    assert "something unexpected happened" in opened.said[0]
    assert opened.review.problem == opened.said[0]
    use(opened, picker)
    wait(opened, qtbot)
    assert not opened.review.problem
    assert len(opened.review.picks) > 10


def test_picks_that_cannot_be_saved_are_shown_all_the_same(opened, picker, qtbot):
    folder = opened.project.folder / "picks"
    folder.rmdir()
    folder.write_text("not a folder")
    use(opened, picker)
    wait(opened, qtbot)
    assert len(opened.review.picks) > 10
    assert len(opened.said) == 1


def test_closing_the_project_leaves_nothing(reviewed):
    review = reviewed.review
    review.select(2)
    reviewed.close_project()
    assert len(review.picks) == 0
    assert review.index is None
    assert not review.overlays.has_maps
    assert list(reviewed.viewer.layers) == []


def test_the_selected_pick_stays_so_beside_an_excluded_area(reviewed):
    review, session = reviewed.review, reviewed
    best = review.picks.yx[0]
    corners = best + np.float32([(-40, -40), (-40, 40), (40, 40), (40, -40)])
    labels = session.labels
    session.edit(Labels(labels.positives, labels.negatives, labels.complete, (corners,)))
    kept = review.picks
    for wanted in (0, len(kept) // 2, len(kept) - 1):
        review.select(wanted)
        review.show(review._everywhere)  # the model has answered anew
        np.testing.assert_array_equal(review.picks.yx, kept.yx)
        assert review.index == wanted
