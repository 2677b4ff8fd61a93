"""Files, samples and points in the real viewer."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import napari
import numpy as np
import pytest

from cryopick_napari.coordinates import CoordinateSet, read_coordinates
from cryopick_napari.coordinates.writing import write_file
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui import app
from cryopick_napari.gui.contributions import (
    get_reader,
    show_export_panel,
    show_label_panel,
    show_review_panel,
    write_points,
)
from cryopick_napari.gui.panels.import_section import ImportSection
from cryopick_napari.gui.session import Session
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLES

PLUGIN = "cryopick-napari"
YX = np.array([[3.25, 60.5], [40.0, 7.0], [20.5, 33.125]])
SCORE = np.array([0.25, 0.5, 1.0])
FORMATS = {".star": "relion", ".box": "box", ".cbox": "cbox"}


@pytest.fixture
def micrograph(tmp_path: Path) -> Path:
    """A field of 48 x 64 px with a bright pixel at each pick's nearest one, and a few wild values."""
    image = np.random.default_rng(0).normal(size=(48, 64)).astype(np.float32)
    image[0, 0] = 1e6
    path = tmp_path / "field_1.5um.mrc"
    write_mrc(path, image, 1.75)
    return path


def save(path: Path, yx: np.ndarray = YX, name: str = "") -> Path:
    rows = CoordinateSet(name or path.stem, Picks.of(yx, SCORE[: len(yx)]), diameter=13.0)
    return write_file([rows], path, FORMATS[path.suffix])


def test_a_micrograph_opens_in_pixels(make_napari_viewer, micrograph):
    (layer,) = make_napari_viewer().open(micrograph, plugin=PLUGIN)
    assert layer.name == "field_1.5um"
    assert layer.data.shape == (48, 64)
    np.testing.assert_array_equal(layer.scale, 1)
    assert layer.metadata == {"spacing": 1.75, "path": str(micrograph)}
    assert -4 < layer.contrast_limits[0] < layer.contrast_limits[1] < 4


@pytest.mark.parametrize("suffix", FORMATS)
def test_points_land_where_the_file_says(make_napari_viewer, tmp_path, suffix):
    path = save(tmp_path / f"field{suffix}")
    (layer,) = make_napari_viewer().open(path, plugin=PLUGIN)
    np.testing.assert_allclose(layer.data, YX, atol=1e-3)
    np.testing.assert_allclose(layer.features["score"], SCORE, atol=1e-6)
    np.testing.assert_array_equal(layer.size, 50 if suffix == ".star" else 13)


@pytest.mark.parametrize("suffix", FORMATS)
def test_points_survive_saving_and_opening(make_napari_viewer, tmp_path, suffix):
    viewer = make_napari_viewer()
    viewer.add_points(YX, size=14, features={"score": SCORE}, name="mine")
    path = tmp_path / f"saved{suffix}"
    assert viewer.layers.save(path, selected=True, plugin=PLUGIN) == [str(path)]
    (layer,) = viewer.open(path, plugin=PLUGIN)
    np.testing.assert_allclose(layer.data, YX, atol=1e-3)
    np.testing.assert_allclose(layer.features["score"], SCORE, atol=1e-6)


def test_a_particle_clicked_into_opened_picks_has_score_1(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    (layer,) = viewer.open(save(tmp_path / "field.cbox"), plugin=PLUGIN)
    layer.add([10.0, 12.0])
    viewer.layers.save(tmp_path / "more.cbox", selected=True, plugin=PLUGIN)
    (rows,) = read_coordinates(tmp_path / "more.cbox")
    np.testing.assert_allclose(rows.picks.yx[-1], [10, 12])
    np.testing.assert_allclose(rows.picks.score, [*SCORE, 1.0])
    assert rows.diameter == 13


def test_no_points_are_saved_too(tmp_path):
    path = tmp_path / "empty.box"
    assert write_points(str(path), np.zeros((0, 2)), {}) == [str(path)]
    assert not len(read_coordinates(path)[0].picks)


def test_only_flat_points_and_known_suffixes_are_saved(tmp_path):
    with pytest.raises(CryopickError, match="two dimensions"):
        write_points(str(tmp_path / "a.star"), np.zeros((2, 3)), {})
    assert write_points(str(tmp_path / "a.xyz"), YX, {}) == []


def many(path: Path, count: int) -> Path:
    """Particles of several micrographs in one file, one each."""
    rows = "".join(f"{n}.5 {n}.25 Movies/field_{n}.mrc\n" for n in range(count))
    labels = "_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnMicrographName #3\n"
    path.write_text(f"data_particles\n\nloop_\n{labels}{rows}\n")
    return path


def test_of_many_micrographs_the_open_one_gets_its_picks(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    write_mrc(tmp_path / "field_7.mrc", np.eye(32, dtype=np.float32))
    viewer.open(tmp_path / "field_7.mrc", plugin=PLUGIN)
    (layer,) = viewer.open(many(tmp_path / "particles.star", 40), plugin=PLUGIN)
    np.testing.assert_array_equal(layer.data, [[7.25, 7.5]])
    assert layer.name == "field_7 picks"


def test_a_few_micrographs_are_shown_and_too_many_are_not(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    assert len(viewer.open(many(tmp_path / "few.star", 3), plugin=PLUGIN)) == 3
    with pytest.raises(CryopickError, match="40 micrographs"):
        viewer.open(many(tmp_path / "particles.star", 40), plugin=PLUGIN)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.star", b"data_optics\n\nloop_\n_rlnOpticsGroup #1\n1\n"),
        ("notes.box", b"a box of chocolates\n"),
        ("notes.cbox", b"\x00\x01\x02\x03"),
        ("empty.star", b""),
        ("notes.map", b"here be dragons\n" * 100),
        ("notes.mrc", b""),
    ],
)
def test_foreign_content_is_left_to_others(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert get_reader(str(tmp_path / name)) is None


def test_volumes_are_left_to_others(tmp_path):
    import mrcfile

    with mrcfile.new(tmp_path / "volume.map") as file:
        file.set_data(np.zeros((4, 8, 8), np.float32))
    assert get_reader(str(tmp_path / "volume.map")) is None
    assert get_reader(str(tmp_path / "missing.mrc")) is None


def test_what_is_wrong_with_a_damaged_file_is_said(micrograph):
    micrograph.write_bytes(micrograph.read_bytes()[:2000])
    reader = get_reader(str(micrograph))
    assert reader
    with pytest.raises(CryopickError, match="cut short"):
        reader(str(micrograph))


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_open_with_their_particles(make_napari_viewer, name):
    viewer = make_napari_viewer()
    image, points = viewer.open_sample(PLUGIN, name.rpartition("-")[2])
    assert image.name == name
    assert len(points.data) > 20
    assert (points.data > -0.5).all()
    assert (points.data < np.array(image.data.shape) - 0.5).all()


def test_circles_are_open_and_on_the_particle(make_napari_viewer, tmp_path):
    write_mrc(tmp_path / "field.mrc", np.pad(np.ones((1, 1), np.float32), 20))
    viewer = make_napari_viewer(show=True)
    viewer.open(tmp_path / "field.mrc", plugin=PLUGIN)
    viewer.open(save(tmp_path / "field.box", np.array([[20.0, 20.0]])), plugin=PLUGIN)
    viewer.layers.selection.clear()
    viewer.reset_view()
    pixels = viewer.screenshot(flash=False)[..., :3].astype(int)
    circle = np.argwhere(pixels[..., 1] - pixels[..., 0] > 60)
    centre, half = (circle.max(axis=0) + circle.min(axis=0)) / 2, np.ptp(circle, axis=0) / 2
    white = np.argwhere((pixels > 250).all(axis=2))
    np.testing.assert_allclose(centre, white.mean(axis=0), atol=2)
    assert len(white) == pytest.approx((2 * half[0] / 13) ** 2, rel=0.3)


@pytest.fixture
def opened_window(make_napari_viewer, monkeypatch):
    """Open the window as the command does, without waiting until it is closed."""
    sessions = []

    def open_window(paths, **viewer_settings):
        monkeypatch.setattr("napari.Viewer", lambda **_: make_napari_viewer(**viewer_settings))
        monkeypatch.setattr("napari.run", lambda: sessions.append(Session.of(napari.current_viewer())))
        app.open_window(paths)
        return sessions[-1]

    yield open_window
    for session in sessions:
        session.close()


def test_the_window_opens_with_what_it_is_given(opened_window, micrograph, tmp_path, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(ImportSection, "_ask", lambda self, found: asked.append(found))
    write_mrc(tmp_path / "other.mrc", np.eye(32, dtype=np.float32))
    picks = save(tmp_path / "field_1.5um.star", name=micrograph.name)
    session = opened_window([micrograph, tmp_path / "other.mrc", picks])
    assert [path.name for path in session.micrographs] == ["field_1.5um.mrc", "other.mrc"]
    qtbot.waitUntil(lambda: session.field is not None and bool(asked), timeout=20_000)
    assert session.field.path == micrograph
    np.testing.assert_allclose(asked[0].picks[micrograph].yx, YX, atol=1e-3)


def test_a_project_opens_again(opened_window, micrograph, qtbot):
    first = opened_window([micrograph])
    qtbot.waitUntil(lambda: first.field is not None, timeout=10_000)
    first.edit(Labels(Picks.of(YX)))
    folder = first.project.folder
    first.close()
    second = opened_window([folder])
    qtbot.waitUntil(lambda: second.field is not None, timeout=10_000)
    np.testing.assert_allclose(second.labels.positives.yx, YX)


def test_an_empty_window_says_how_to_begin(opened_window):
    session = opened_window([])
    assert not session.micrographs
    assert not session.viewer.layers


def test_the_end_of_pyqt5_does_not_greet_the_user(opened_window, micrograph, monkeypatch):
    from napari._qt import qt_main_window
    from napari.utils.notifications import notification_manager

    monkeypatch.setattr(qt_main_window, "SHOW_QT_WARNING", True)
    before = len(notification_manager.records)
    with warnings.catch_warnings():
        opened_window([micrograph], show=True)
    assert [record.message for record in notification_manager.records[before:]] == []


def test_several_coordinate_files_are_refused(micrograph, tmp_path):
    names = ("field_1.5um.star", "field_1.5um.box")
    with pytest.raises(CryopickError, match="one file of coordinates"):
        app.open_window([micrograph, *(save(tmp_path / name, name="field_1.5um") for name in names)])


@pytest.mark.parametrize(
    ("show", "panel"),
    [(show_label_panel, "Label"), (show_review_panel, "Review"), (show_export_panel, "Export")],
)
def test_menu_commands_open_the_widget_at_a_panel(make_napari_viewer, show, panel):
    viewer = make_napari_viewer()
    show()
    show()  # the one that is there comes to the front
    (dock,) = (dock for name, dock in viewer.window.dock_widgets.items() if "Pick particles" in name)
    assert dock.tabs.tabText(dock.tabs.currentIndex()) == panel
    dock.session.close()


def test_coordinates_of_another_micrograph_are_an_error(micrograph, tmp_path):
    with pytest.raises(CryopickError, match="belong to none"):
        app.open_window([micrograph, save(tmp_path / "other.box")])


def test_the_window_needs_a_screen_and_napari(monkeypatch):
    monkeypatch.setitem(sys.modules, "napari", None)
    with pytest.raises(CryopickError, match=r"cryopick-napari\[gui\]"):
        app.open_window([])
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(CryopickError, match="screen"):
        app.open_window([])
