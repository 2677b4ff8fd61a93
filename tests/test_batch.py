from __future__ import annotations

import gc
import json
from dataclasses import replace

import mrcfile
import numpy as np
import pytest
from drawing import SPACED, blob_detector, drawn_micrograph, near

from cryopick_napari.batch import PickSettings, fingerprint, micrograph_name
from cryopick_napari.config import PickerConfig
from cryopick_napari.coordinates import SUFFIX, read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.journal import record_of
from cryopick_napari.micrograph import Micrograph, read_size, write_mrc
from cryopick_napari.runs import pick_files

PICKER = blob_detector(
    PickerConfig(9, 2.0, 9, base_features=2, depth=2, filter_channel=False, averaging=False)
)
OTHER = replace(PICKER, config=replace(PICKER.config, threshold=0.4))
PLAIN = PickSettings()


@pytest.fixture
def fields(tmp_path):
    """Three micrographs of the same particles in other noise."""
    return [field(tmp_path / "mics" / f"{name}.mrc", seed) for seed, name in enumerate("abc")]


def field(path, seed=0, sign=1, centres=SPACED, shape=(96, 90), spacing=2.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mrc(path, sign * drawn_micrograph(centres, shape, seed=seed).image, spacing)
    return path


def states(paths, folder, settings=PLAIN, picker=PICKER):
    return [picked.state for picked in pick_files(picker, paths, folder, settings)]


def found(path):
    return read_coordinates(path)[0].picks


def indexed(folder):
    """The micrographs that autopick.star names."""
    return [rows.micrograph for rows in read_coordinates(folder / "autopick.star")]


def test_each_micrograph_is_written_at_once_and_the_index_at_the_end(tmp_path, fields):
    out = tmp_path / "out"
    for number, picked in enumerate(pick_files(PICKER, fields, out, PLAIN), 1):
        assert (picked.path, picked.state) == (fields[number - 1], "picked")
        assert near(picked.picks.yx, SPACED) < 1
        assert len(list(out.glob("*_autopick.star"))) == number
        np.testing.assert_allclose(
            found(out / f"{picked.path.stem}_autopick.star").yx, picked.picks.yx, atol=1e-4
        )
        assert not (out / "autopick.star").exists()
    assert indexed(out) == [str(path) for path in fields]


def test_only_the_next_micrograph_is_in_memory_when_one_is_done(tmp_path, fields):
    def alive():
        return sum(type(thing) is Micrograph for thing in gc.get_objects())

    before = alive()
    job = pick_files(PICKER, fields, tmp_path / "out", replace(PLAIN, maps=True, overlays=True))
    fields_ahead = [alive() - before for _ in job]
    assert max(fields_ahead) <= 1
    assert fields_ahead[-1] == 0


def test_closed_early_the_index_names_what_is_done(tmp_path, fields):
    job = pick_files(PICKER, fields, tmp_path / "out", PLAIN)
    next(job), next(job)
    job.close()
    assert indexed(tmp_path / "out") == [str(path) for path in fields[:2]]
    assert states(fields, tmp_path / "out") == ["skipped", "skipped", "picked"]


def test_what_is_done_is_skipped_until_something_that_matters_changes(tmp_path, fields):
    out = tmp_path / "out"
    assert states(fields, out) == ["picked"] * 3
    assert states(fields, out) == ["skipped"] * 3
    (out / "b_autopick.star").unlink()
    assert states(fields, out) == ["skipped", "picked", "skipped"]
    for changed in (replace(PLAIN, threshold=0.3), replace(PLAIN, border=20.0), replace(PLAIN, format="csv")):
        assert states(fields, out, changed) == ["picked"] * 3
    assert states(fields, out, PLAIN, OTHER) == ["picked"] * 3


def test_a_file_of_somebody_else_among_ours_is_not_replaced(tmp_path, fields):
    out = tmp_path / "out"
    assert states(fields[:1], out) == ["picked"]
    (out / "b_autopick.star").write_text("my own")
    with pytest.raises(CryopickError, match=r"b_autopick\.star is there and is not from here"):
        states(fields, out)
    assert (out / "b_autopick.star").read_text() == "my own"


def test_maps_asked_for_later_are_made_later(tmp_path, fields):
    out, more = tmp_path / "out", replace(PLAIN, maps=True, overlays=True)
    states(fields, out)
    assert states(fields, out, more) == ["picked"] * 3
    assert states(fields, out, more) == states(fields, out) == ["skipped"] * 3
    (out / "a_overlay.png").unlink()
    assert states(fields, out, more) == ["picked", "skipped", "skipped"]
    states(fields, out, picker=OTHER)
    assert not list(out.glob("*.mrc")) + list(out.glob("*.png"))  # they were those of the first model


def test_an_interrupted_run_never_takes_another_models_picks_for_its_own(tmp_path, fields):
    out = tmp_path / "out"
    states(fields, out)
    job = pick_files(OTHER, fields, out, PLAIN)
    next(job)
    job.close()
    assert indexed(out) == [str(fields[0])]
    assert states(fields, out, picker=OTHER) == ["skipped", "picked", "picked"]
    assert states(fields[:1], out) == ["picked"]
    assert states(fields, out, picker=OTHER) == ["picked", "skipped", "skipped"]


def test_a_later_run_adds_to_the_index(tmp_path, fields):
    out = tmp_path / "out"
    states(fields[:1], out)
    states(fields[2:], out)
    assert indexed(out) == [str(fields[0]), str(fields[2])]
    assert states(fields, out) == ["skipped", "picked", "skipped"]


def test_micrographs_from_elsewhere_are_refused(tmp_path, fields):
    states(fields, tmp_path / "out")
    stranger = field(tmp_path / "other" / "a.mrc")
    with pytest.raises(CryopickError, match=r"out holds picks of micrographs below .*mics.*other.*--output"):
        states([stranger], tmp_path / "out")
    below = field(tmp_path / "mics" / "more" / "a.mrc")
    assert states([below], tmp_path / "out") == ["picked"]
    assert (tmp_path / "out" / "more" / "a_autopick.star").is_file()


def test_the_same_stem_in_two_folders_makes_two_files(tmp_path):
    paths = [field(tmp_path / "m" / day / "a.mrc", seed) for seed, day in enumerate(("mon", "tue"))]
    assert states(paths, tmp_path / "out") == ["picked"] * 2
    assert all((tmp_path / "out" / day / "a_autopick.star").is_file() for day in ("mon", "tue"))
    assert indexed(tmp_path / "out") == [str(path) for path in paths]


def test_the_same_stem_with_two_endings_is_refused_before_anything_is_picked(tmp_path):
    paths = [field(tmp_path / "m" / name) for name in ("a.mrc", "a.map")]
    with pytest.raises(CryopickError, match="would share"):
        states(paths, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '{"root": 3, "started": ""}', '["a", "b"]', '["a", 2, 3]', "\0\n\xff" * 9]
)
def test_a_damaged_record_is_as_good_as_none(tmp_path, fields, text):
    states(fields[:1], tmp_path / "out")
    record_of(tmp_path / "out").write_text(text)
    assert states(fields[:1], tmp_path / "out") == ["picked"]


def test_a_foreign_record_leads_nowhere(tmp_path, fields):
    (tmp_path / "out").mkdir()
    record_of(tmp_path / "out").write_text(json.dumps(["../../evil.mrc", "x", 1.0]))
    with pytest.raises(CryopickError, match="leads outside"):
        states(fields, tmp_path / "out")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tue").symlink_to(tmp_path / "outside")
    paths = [field(tmp_path / "m" / day / "a.mrc") for day in ("mon", "tue")]
    with pytest.raises(CryopickError, match="by a link out of"):
        states(paths, tmp_path / "out")
    assert not any((tmp_path / "outside").iterdir())


def test_a_bad_micrograph_is_passed_over(tmp_path, fields):
    fields[1].write_bytes(b"rubbish")
    a, b, c = pick_files(PICKER, fields, tmp_path / "out", PLAIN)
    assert (a.state, b.state, c.state) == ("picked", "failed", "picked")
    assert "b.mrc" in b.message
    assert indexed(tmp_path / "out") == [str(fields[0]), str(fields[2])]
    field(fields[1], 1)
    assert states(fields, tmp_path / "out") == ["skipped", "picked", "skipped"]


@pytest.mark.parametrize("format", SUFFIX)
def test_every_format_holds_the_same_picks(tmp_path, fields, format):
    (picked,) = pick_files(PICKER, fields[:1], tmp_path / "out", PickSettings(format))
    rows = read_coordinates(tmp_path / "out", height=read_size(fields[0])[0][0])[0].picks
    np.testing.assert_allclose(rows.yx, picked.picks.yx, atol=1e-3)
    if format not in ("relion", "particles"):
        np.testing.assert_allclose(rows.score, picked.picks.score, atol=1e-5)


def test_topaz_has_one_file_for_all_runs(tmp_path, fields):
    for paths in (fields[:2], fields[2:]):
        states(paths, tmp_path / "out", PickSettings("topaz"))
    assert [rows.micrograph for rows in read_coordinates(tmp_path / "out" / "picks.txt")] == list("abc")


def test_flip_counts_rows_from_the_other_end(tmp_path, fields):
    (picked,) = pick_files(PICKER, fields[:1], tmp_path / "out", PickSettings("csv", flip_y=True))
    flipped = found(tmp_path / "out" / "a.csv").yx
    np.testing.assert_allclose(flipped[:, 0], 95 - picked.picks.yx[:, 0], atol=1e-4)
    np.testing.assert_allclose(flipped[:, 1], picked.picks.yx[:, 1], atol=1e-4)


def test_threshold_border_and_distance_leave_picks_out(tmp_path, fields):
    def picks(number, **settings):
        (picked,) = pick_files(PICKER, fields[:1], tmp_path / str(number), PickSettings(**settings))
        return picked.picks

    every = picks(0)
    middle = np.median(every.score)
    assert len(picks(1, threshold=float(middle))) == 3
    assert near(picks(2, border=18.0).yx, SPACED[2:3]) < 1
    assert len(picks(3, min_distance=3.5)) < 6
    assert len(picks(4, threshold=0.0)) >= 6


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": 1.5},
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"border": -1.0},
        {"border": float("inf")},
        {"min_distance": float("nan")},
    ],
    ids=str,
)
def test_settings_that_would_leave_out_everything_are_refused(values):
    with pytest.raises(CryopickError, match=next(iter(values)).replace("_", " ")):
        PickSettings(**values)


@pytest.mark.parametrize("sign", [1, -1], ids=["dark", "inverted"])
@pytest.mark.parametrize("shape", [(96, 90), (97, 113), (131, 90)], ids=str)
def test_maps_cover_the_micrograph_exactly(tmp_path, shape, sign):
    path = field(tmp_path / "a.mrc", shape=shape, spacing=1.5, sign=sign)
    picker = replace(PICKER, config=replace(PICKER.config, spacing=1.5, diameter=12))  # is reduced by 3/4
    (picked,) = pick_files(picker, [path], tmp_path / "out", replace(PLAIN, maps=True, overlays=True))
    assert near(picked.picks.yx, SPACED) < 1.5
    assert (tmp_path / "out" / "a_overlay.png").read_bytes().startswith(b"\x89PNG")
    reduced = np.array([round(side * 0.75) for side in shape])
    for name, factor in (("probability", 1), ("att1", 1), ("att2", 2)):
        with mrcfile.open(tmp_path / "out" / f"a_{name}.mrc") as file:
            assert file.data.dtype == np.float32
            assert file.data.shape == tuple(-(-reduced // factor))
            extent = np.array(file.data.shape) * [file.voxel_size.y, file.voxel_size.x]
            np.testing.assert_allclose(extent, np.multiply(shape, 1.5), rtol=1e-5)
            assert file.data.min() >= 0
            assert file.data.max() <= 1
    assert len(list((tmp_path / "out").glob("*.mrc"))) == 3


def test_without_a_pixel_size_maps_have_none_either(tmp_path):
    path = field(tmp_path / "a.mrc", spacing=None)
    assert states([path], tmp_path / "out", replace(PLAIN, maps=True)) == ["picked"]
    with mrcfile.open(tmp_path / "out" / "a_probability.mrc") as file:
        assert file.voxel_size.x == 0


def test_a_plain_network_has_no_attention_maps(tmp_path, fields):
    plain = blob_detector(replace(PICKER.config, gate="none"))
    states(fields[:1], tmp_path / "out", replace(PLAIN, maps=True), plain)
    assert [path.name for path in (tmp_path / "out").glob("*.mrc")] == ["a_probability.mrc"]


@pytest.mark.parametrize(
    "kind", [{"gate": "multihead"}, {"gate": "none", "spatial_attention": True}], ids=str
)
def test_every_network_with_attention_has_its_maps(tmp_path, fields, kind):
    picker = blob_detector(replace(PICKER.config, **kind))
    states(fields[:1], tmp_path / "out", replace(PLAIN, maps=True), picker)
    wanted = ["probability", *(f"att{level + 1}" for level in range(picker.config.depth))]
    names = {path.name for path in (tmp_path / "out").glob("*.mrc")}
    assert names == {f"a_{kind}.mrc" for kind in wanted}


def test_inverted_contrast_gives_the_same_picks(tmp_path, fields):
    inverse = field(tmp_path / "mics" / "inverse.mrc", sign=-1)
    dark, light = pick_files(PICKER, [fields[0], inverse], tmp_path / "out", PLAIN)
    np.testing.assert_array_equal(dark.picks.yx, light.picks.yx)


def test_fingerprints_differ_where_picks_may():
    config = replace(PICKER.config, polarity="light")
    marks = [
        fingerprint(PICKER, PLAIN),
        fingerprint(PICKER, replace(PLAIN, maps=True, overlays=True)),
        fingerprint(replace(PICKER, config=config), PLAIN),
        fingerprint(PICKER, replace(PLAIN, min_distance=0.6)),
        fingerprint(replace(PICKER, network=blob_detector(PICKER.config).network), PLAIN),
    ]
    assert marks[0] == marks[1] == marks[4]
    assert len(set(marks)) == 3
    changed = blob_detector(PICKER.config)
    changed.network.unet.head.bias.data += 1e-6
    assert fingerprint(changed, PLAIN) != marks[0]


def test_names_are_relative_to_the_current_folder_if_below_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert micrograph_name(tmp_path / "x" / ".." / "a.mrc") == "a.mrc"
    assert micrograph_name(tmp_path.parent / "a.mrc") == (tmp_path.parent / "a.mrc").as_posix()


def test_the_output_folder_must_be_one(tmp_path, fields):
    (tmp_path / "out").write_text("")
    with pytest.raises(CryopickError, match=r"cannot make the folder .*out"):
        states(fields, tmp_path / "out")


def test_coordinates_from_elsewhere_are_never_overwritten(tmp_path, fields):
    labels = tmp_path / "labels" / f"{fields[0].stem}.csv"
    labels.parent.mkdir()
    labels.write_text("x,y\n3,4\n")
    with pytest.raises(CryopickError, match=labels.name):
        states(fields, labels.parent, PickSettings(format="csv"))
    assert labels.read_text() == "x,y\n3,4\n"
