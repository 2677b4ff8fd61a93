"""Values become layers, a person's own edits become values, and nothing echoes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from cryopick_napari.display import DisplayFilter, shown
from cryopick_napari.gui.canvas import LABELS, Canvas, Kind
from cryopick_napari.gui.hands import canvas_of, click, drag
from cryopick_napari.gui.reader import Field
from cryopick_napari.labelling import same
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks

YX = [(100.0, 120.0), (200.0, 260.0), (250.0, 60.0)]
AREA = np.array([[20, 20], [20, 200], [200, 200]], np.float32)
EMPTY = Labels(Picks.of([]))
FULL = Labels(Picks.of(YX), Picks.of([(50, 50)]), (AREA,), (AREA + 60,))
DIAMETER = 30.0


def field(shape: tuple[int, int] = (300, 400), name: str = "a", low_pass: float = 16.0) -> Field:
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    micrograph = Micrograph(image, 2.0, Path(f"/data/{name}.mrc"))
    return Field(micrograph, shown(micrograph, DisplayFilter(low_pass)))


@pytest.fixture
def canvas(make_napari_viewer, qtbot) -> Canvas:
    canvas = Canvas(make_napari_viewer(show=True))
    canvas.edits = []
    canvas.edited.connect(canvas.edits.append)
    canvas.show_micrograph(field())
    canvas.show_labels(EMPTY, DIAMETER)
    canvas.activate(Kind.POSITIVES)
    qtbot.wait(50)
    yield canvas
    canvas.close()


def names(canvas: Canvas) -> list[str]:
    return [layer.name for layer in canvas.viewer.layers]


def test_labels_are_shown_and_read(canvas, qtbot):
    canvas.show_labels(FULL, DIAMETER)
    assert same(canvas.labels(), FULL)
    np.testing.assert_array_equal(canvas.layer(Kind.POSITIVES).size, DIAMETER)
    canvas.show_labels(FULL, 44)
    np.testing.assert_array_equal(canvas.layer(Kind.POSITIVES).size, 44)
    canvas.show_labels(EMPTY, DIAMETER)
    assert same(canvas.labels(), EMPTY)
    qtbot.wait(50)
    assert canvas.edits == []


def test_what_napari_moves_in_place_is_not_the_value(canvas):
    canvas.show_labels(FULL, DIAMETER)
    read = canvas.labels()
    canvas.layer(Kind.POSITIVES).data[0] = 10, 10
    np.testing.assert_array_equal(FULL.positives.yx, YX)
    np.testing.assert_array_equal(read.positives.yx, YX)
    np.testing.assert_array_equal(canvas.labels().positives.yx[0], [10, 10])


def test_a_point_that_is_clicked_dragged_and_deleted_is_an_edit_each(canvas, qtbot):
    canvas.show_labels(Labels(Picks.of(YX)), DIAMETER)
    canvas_of(canvas.viewer).setFocus()
    QTest.keyClick(canvas_of(canvas.viewer), Qt.Key.Key_2)
    assert canvas.layer(Kind.POSITIVES).mode == "add"
    click(canvas.viewer, (40, 300))
    assert [len(labels.positives) for labels in canvas.edits] == [4]
    near = 0.75 / canvas.viewer.scene.camera.zoom
    np.testing.assert_allclose(canvas.edits[-1].positives.yx[-1], (40, 300), atol=near)
    canvas.show_labels(canvas.edits[-1], DIAMETER)
    canvas.layer(Kind.POSITIVES).mode = "select"
    drag(canvas.viewer, YX[0], (150, 180))
    qtbot.wait(50)
    assert len(canvas.edits) == 2
    np.testing.assert_allclose(canvas.edits[-1].positives.yx[0], (150, 180), atol=2 * near)
    canvas.show_labels(canvas.edits[-1], DIAMETER)
    assert canvas.layer(Kind.POSITIVES).selected_data == {0}
    QTest.keyClick(canvas_of(canvas.viewer), Qt.Key.Key_Delete)
    qtbot.wait(50)
    assert [len(labels.positives) for labels in canvas.edits] == [4, 4, 3]


def test_a_polygon_is_one_edit_when_it_is_done(canvas, qtbot):
    canvas.draw(Kind.EXCLUDED)
    for yx in YX:
        click(canvas.viewer, yx)
        assert canvas.edits == []
    QTest.keyClick(canvas_of(canvas.viewer), Qt.Key.Key_Return)
    qtbot.wait(50)
    assert [len(labels.excluded) for labels in canvas.edits] == [1]
    for yx in YX:
        assert np.linalg.norm(canvas.edits[0].excluded[0] - yx, axis=1).min() < 2


def test_an_overlay_does_not_disturb_a_polygon_that_is_drawn(canvas, qtbot):
    canvas.draw(Kind.COMPLETE)
    layer = canvas.layer(Kind.COMPLETE)
    click(canvas.viewer, YX[0])
    click(canvas.viewer, YX[1])
    canvas.show_map(Kind.PROBABILITY, np.zeros((30, 40), np.float32), (10, 10))
    canvas.show_picks(Picks.of(YX), DIAMETER)
    assert canvas.viewer.layers.selection.active is layer
    assert layer.mode == "add_polygon"
    click(canvas.viewer, YX[2])
    QTest.keyClick(canvas_of(canvas.viewer), Qt.Key.Key_Return)
    qtbot.wait(50)
    assert [len(labels.complete) for labels in canvas.edits] == [1]


def test_other_labels_while_a_polygon_is_drawn_drop_it(canvas, qtbot):
    canvas.draw(Kind.EXCLUDED)
    click(canvas.viewer, YX[0])
    click(canvas.viewer, YX[1])
    canvas.show_labels(FULL, DIAMETER)
    drag(canvas.viewer, (120, 300), (140, 320))  # nothing is left to be drawn on
    click(canvas.viewer, YX[2])
    QTest.keyClick(canvas_of(canvas.viewer), Qt.Key.Key_Escape)
    qtbot.wait(50)
    canvas.show_labels(FULL, DIAMETER)
    assert same(canvas.labels(), FULL)


def test_rectangles_and_ellipses_are_areas_and_lines_are_none(canvas, qtbot):
    canvas.draw(Kind.EXCLUDED)
    layer = canvas.layer(Kind.EXCLUDED)
    layer.add_rectangles([[10, 10], [50, 90]])
    layer.add_ellipses([[120, 150], [20, 50]])  # middle, half axes
    layer.add_lines([[0, 0], [9, 9]])
    qtbot.wait(50)
    box, ring = canvas.edits[-1].excluded
    assert len(box) == 4
    np.testing.assert_allclose([ring.min(axis=0), ring.max(axis=0)], [[100, 100], [140, 200]], atol=0.5)
    canvas.show_labels(canvas.edits[-1], DIAMETER)
    assert len(layer.data) == 2


def test_a_point_beside_the_micrograph_is_no_label(canvas, qtbot):
    canvas.layer(Kind.POSITIVES).add([[-20, 50], [1e7, 0], [20, 50]])
    qtbot.wait(50)
    np.testing.assert_array_equal(canvas.edits[-1].positives.yx, [[20, 50]])


@pytest.mark.parametrize("size", [2, 3, 5])
def test_areas_of_any_form_are_shown(canvas, size):
    crossed = np.array([[0, 0], [50, 50], [0, 50], [50, 0], [0, 0]], np.float32)[: size + 1]
    flat = np.array([[10, 10], [20, 20], [30, 30]], np.float32)
    labels = Labels(Picks.of([]), complete=(crossed, flat, np.zeros((4, 2), np.float32)))
    canvas.show_labels(labels, DIAMETER)
    assert same(canvas.labels(), labels)


def test_layers_lie_in_their_order_however_they_come(canvas):
    canvas.viewer.add_points([[5, 5]], name="mine")
    canvas.activate(Kind.POSITIVES)
    active = canvas.layer(Kind.POSITIVES)
    canvas.show_picks(Picks.of(YX, [0.1, 0.5, 0.9]), DIAMETER)
    canvas.show_map(Kind.ATTENTION, np.zeros((30, 40), np.float32), (10, 10))
    canvas.show_map(Kind.PROBABILITY, np.zeros((30, 40), np.float32), (10, 10))
    canvas.show_selected(YX[0], DIAMETER)
    canvas.show_circle(YX[0], DIAMETER)
    canvas.show_labels(FULL, DIAMETER)
    ours = ["probability", "attention", "fully labelled", "excluded", "picks", "not particles", "particles"]
    assert [name for name in names(canvas) if name != "mine"] == ["a", *ours, "selected pick", "circle"]
    assert canvas.viewer.layers.selection.active is active


def test_an_overlay_leaves_several_or_no_selected_layers_alone(canvas):
    mine = [canvas.viewer.add_points([[5, 5]]), canvas.viewer.add_points([[6, 6]])]
    canvas.viewer.layers.selection = set(mine)
    active = canvas.viewer.layers.selection.active
    changes = []
    canvas.viewer.layers.selection.events.changed.connect(changes.append)
    canvas.show_picks(Picks.of(YX), DIAMETER)
    assert not changes  # not even for a moment: each makes controls anew
    assert set(canvas.viewer.layers.selection) == set(mine)
    assert canvas.viewer.layers.selection.active is active


def test_layers_may_be_renamed_hidden_and_moved(canvas):
    layer = canvas.layer(Kind.POSITIVES)
    layer.name, layer.visible = "my particles", False
    canvas.viewer.layers.move(canvas.viewer.layers.index(layer), 0)
    canvas.show_labels(FULL, DIAMETER)
    canvas.show_micrograph(field(name="b"))
    assert canvas.layer(Kind.POSITIVES) is layer
    assert (layer.name, layer.visible) == ("my particles", False)
    assert same(canvas.labels(), FULL)


def test_labels_outlast_the_layers_that_are_removed(canvas, qtbot):
    removed = []
    canvas.removed.connect(removed.append)
    canvas.show_labels(FULL, DIAMETER)
    canvas.layer(Kind.POSITIVES).add([20, 30])
    canvas.viewer.layers.remove(canvas.layer(Kind.NEGATIVES))
    canvas.viewer.layers.remove(canvas.layer(Kind.COMPLETE))
    qtbot.wait(50)
    assert removed == [Kind.NEGATIVES, Kind.COMPLETE]
    assert (len(canvas.edits[-1].positives), len(canvas.edits[-1].negatives)) == (4, 1)
    assert same(
        Labels(Picks.of([]), complete=canvas.edits[-1].complete), Labels(Picks.of([]), complete=(AREA,))
    )


def test_everything_can_be_cleared_and_shown_again(canvas):
    canvas.show_labels(FULL, DIAMETER)
    canvas.viewer.layers.clear()
    assert all(canvas.layer(kind) is None for kind in Kind)
    canvas.show_micrograph(field())
    canvas.show_labels(FULL, DIAMETER)
    assert same(canvas.labels(), FULL)
    canvas.clear()
    assert names(canvas) == []
    assert same(canvas.labels(), EMPTY)


def test_foreign_layers_stay_and_do_no_harm(canvas, qtbot):
    viewer = canvas.viewer
    viewer.add_image(np.zeros((4, 300, 400), np.float32), name="stack")
    viewer.add_image(np.zeros((300, 400, 3), np.uint8), name="colour", rgb=True)
    canvas.activate(Kind.POSITIVES)
    canvas.layer(Kind.POSITIVES).mode = "add"
    qtbot.wait(200)  # a slider has come below the canvas
    click(viewer, YX[0])
    near = 0.75 / viewer.scene.camera.zoom
    np.testing.assert_allclose(canvas.edits[-1].positives.yx, YX[:1], atol=near)
    canvas.show_labels(FULL, DIAMETER)
    canvas.show_map(Kind.PROBABILITY, np.zeros((30, 40), np.float32), (10, 10))
    canvas.show_picks(Picks.of(YX), DIAMETER)
    canvas.show_micrograph(field((200, 200)))
    canvas.look_at((150, 100))
    np.testing.assert_allclose(canvas.middle_of_view(), (150, 100))
    assert canvas.is_in_view((150, 100))
    canvas.clear()
    assert names(canvas) == ["stack", "colour"]


def test_the_view_stays_between_micrographs_of_one_size(canvas):
    camera = canvas.viewer.scene.camera
    canvas.look_at((120, 130))
    camera.zoom = 7.0
    canvas.show_micrograph(field(name="b"))
    canvas.show_micrograph(field(name="b", low_pass=4.0))  # on more pixels, at the same place
    assert camera.center[-2:] == pytest.approx((120, 130))
    assert camera.zoom == 7.0
    canvas.show_micrograph(field((600, 800), name="c"))
    assert camera.center[-2:] == pytest.approx((299.5, 399.5), abs=8)
    assert camera.zoom < 7.0


@pytest.mark.parametrize("level", [0, 2])
def test_a_map_lies_where_its_pixels_come_from(canvas, level):
    """A bright pixel of the map lies over the network pixels that it covers."""
    ratio, block = (3.1, 2.9), 2**level
    plane = np.zeros((24, 34), np.float32)
    plane[5, 7] = 1
    canvas.show_map(Kind.ATTENTION, plane, ratio, level)
    covered = np.array([[5 * block + step, 7 * block + step] for step in range(block)]) * ratio
    layer = canvas.layer(Kind.ATTENTION)
    np.testing.assert_allclose(layer.data_to_world((5, 7)), covered.mean(axis=0), atol=1e-4)
    canvas.show_map(Kind.ATTENTION, plane, (6.2, 5.8), level)
    np.testing.assert_allclose(layer.data_to_world((5, 7)), 2 * covered.mean(axis=0), atol=1e-4)


def test_picks_come_and_go(canvas):
    canvas.show_picks(Picks.of([]), DIAMETER)
    assert canvas.layer(Kind.PICKS) is None
    canvas.show_above(0.5)
    canvas.show_picks(Picks.of(YX, [0.1, 0.5, 0.9]), DIAMETER)
    canvas.show_above(0.5)
    assert canvas.layer(Kind.PICKS).size.tolist() == [0, DIAMETER, DIAMETER]
    for count in (0, 2, 3, 1):
        canvas.show_picks(Picks.of(YX[:count], [0.1, 0.5, 0.9][:count]), DIAMETER)
        canvas.show_above(0.2)
        assert (canvas.layer(Kind.PICKS).size > 0).tolist() == [False, True, True][:count]


@pytest.mark.parametrize("kind", LABELS)
def test_a_value_is_not_an_edit(canvas, qtbot, kind):
    canvas.show_labels(FULL, DIAMETER)
    canvas.show_labels(EMPTY, DIAMETER)
    canvas.draw(Kind.EXCLUDED)
    canvas.rest()
    canvas.show_labels(FULL, DIAMETER)
    assert canvas.layer(kind) is not None
    qtbot.wait(50)
    assert canvas.edits == []
