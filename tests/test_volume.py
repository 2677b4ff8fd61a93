from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryopick_napari.errors import CryopickError
from cryopick_napari.phantom import PHASE, Phantom, turned_at_random
from cryopick_napari.structure_files import read_structure
from cryopick_napari.structures import invented
from cryopick_napari.volume import Volume

CENTRE = np.array([35.3, 40.6])


def sampled(phantom: Phantom, spacing: float, side: int = 80) -> np.ndarray:
    """Sample a phantom on a grid, in rad/Å."""
    middle = side // 2 + np.array([0.3, -0.2, 0.4])
    z, y, x = (
        np.exp(-(((np.arange(side) - c) * spacing - at[:, None]) ** 2) / (2 * phantom.sigma[:, None] ** 2))
        for c, at in zip(middle, phantom.zyx.T, strict=True)
    )
    peak = phantom.mass / ((2 * np.pi) ** 1.5 * phantom.sigma**3)
    density = np.einsum("k,ka,kb,kc->abc", peak, z, y, x, optimize=True)
    return np.where(density < 1e-6 * density.max(), 0, density)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return invented("lobed", "C1", 150.0, np.random.default_rng(0))


@pytest.fixture(scope="module")
def volume(phantom) -> Volume:
    return Volume.of(sampled(phantom, 3.0), 3.0)


@pytest.mark.parametrize("spacing", [2.5, 4.0, 6.0])
def test_slices_of_the_transform_project_what_integrals_do(phantom, volume, spacing):
    rng = np.random.default_rng(1)
    for _ in range(3):
        turn = turned_at_random(rng)
        slice_, exact = np.zeros((2, 75, 82), np.float32)
        Phantom(turn.apply(phantom.zyx), phantom.sigma, phantom.mass).draw(exact, CENTRE, spacing)
        replace(volume, turn=turn).draw(slice_, CENTRE, spacing)
        assert np.abs(slice_ - exact).max() < 0.02 * exact.max()


def test_a_projection_beyond_the_edge_is_cut(volume):
    canvas = np.zeros((30, 30), np.float32)
    volume.draw(canvas, np.array([0.0, 29.0]), 4.0)
    assert canvas[5, 25] > 10 * abs(canvas[25, 3])
    before = canvas.copy()
    volume.draw(canvas, np.array([500.0, 500.0]), 4.0)
    np.testing.assert_array_equal(canvas, before)


def write_map(path: Path, density: np.ndarray, spacing: float = 3.0) -> Path:
    with mrcfile.new(path, density.astype(np.float32), overwrite=True) as file:
        file.voxel_size = spacing
    return path


def test_a_map_s_background_and_unit_do_not_matter(tmp_path, phantom):
    density = sampled(phantom, 3.0, 60)
    noise = np.random.default_rng(0).normal(0, 0.002 * density.max(), density.shape)
    clean = read_structure(write_map(tmp_path / "a.mrc", density))
    dirty = read_structure(write_map(tmp_path / "b.map", 50 * (density + noise) + 7))
    one, other = np.zeros((2, 75, 82), np.float32)
    clean.draw(one, CENTRE, 3.0)
    dirty.draw(other, CENTRE, 3.0)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97
    assert clean.diameter == pytest.approx(phantom.diameter, rel=0.2)
    # as dense as protein
    assert 0.3 < one.max() / (PHASE * clean.diameter) < 1.5


def test_axes_of_a_map_may_be_stored_in_another_order(tmp_path, phantom):
    density = sampled(phantom, 3.0, 60)
    with mrcfile.new(tmp_path / "b.mrc", density.astype(np.float32).transpose(2, 0, 1).copy()) as file:
        file.voxel_size = 3.0
        file.header.maps, file.header.mapr, file.header.mapc = 1, 3, 2
    one, other = np.zeros((2, 75, 82), np.float32)
    read_structure(write_map(tmp_path / "a.mrc", density)).draw(one, CENTRE, 3.0)
    read_structure(tmp_path / "b.mrc").draw(other, CENTRE, 3.0)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_large_map_is_averaged_down(tmp_path, phantom):
    fine = np.repeat(np.repeat(np.repeat(sampled(phantom, 3.0, 60), 3, 0), 3, 1), 3, 2)
    found = read_structure(write_map(tmp_path / "a.mrc", fine, 1.0), voxel_size=1.0)
    assert found.spacing == 2.0
    assert found.diameter == pytest.approx(
        read_structure(write_map(tmp_path / "b.mrc", fine[::3, ::3, ::3])).diameter, rel=0.05
    )


def error(path: Path, voxel_size: float | None = None) -> str:
    with pytest.raises(CryopickError) as raised:
        read_structure(path, voxel_size)
    return str(raised.value)


def test_what_is_no_map_is_refused_in_a_line(tmp_path):
    ball = np.zeros((20, 20, 20))
    ball[5:15, 5:15, 5:15] = 1
    whole = write_map(tmp_path / "a.mrc", ball)
    assert "there is no such file" in error(tmp_path / "none.mrc")
    assert "neither a map nor a model: give .mrc" in error(tmp_path / "a.txt")
    assert "give --voxel-size" in error(write_map(tmp_path / "b.mrc", ball, 0.0))
    assert "above 0" in error(whole, -1.0)
    assert "nothing but background" in error(write_map(tmp_path / "c.mrc", np.ones((20, 20, 20))))
    assert "1 x 20 x 20 voxels" in error(write_map(tmp_path / "d.mrc", ball[0]))
    (tmp_path / "e.mrc").write_bytes(whole.read_bytes()[:9000])
    assert "cut short" in error(tmp_path / "e.mrc")
    (tmp_path / "f.mrc").write_bytes(b"\xff" * 5000)
    assert "not an MRC file, or is damaged" in error(tmp_path / "f.mrc")
    (tmp_path / "g.mrc").write_bytes(whole.read_bytes()[:-4] + b"\xff\xff\xff\x7f")
    assert "not finite" in error(tmp_path / "g.mrc")
    header = bytearray(whole.read_bytes())
    header[0:12] = np.full(3, 2**30, "<i4").tobytes()
    (tmp_path / "h.mrc").write_bytes(header)
    assert "h.mrc" in error(tmp_path / "h.mrc")


ATOM = "ATOM  {:5d}  {:<3s} ALA A{:4d}    {:8.3f}{:8.3f}{:8.3f}  1.00 20.00           {:s}\n"


def write_model(path: Path, xyz: np.ndarray) -> Path:
    lines = [ATOM.format(n + 1, "CA", n + 1, *place, "C") for n, place in enumerate(xyz)]
    path.write_text("".join(lines) + "END\n")
    return path


def test_a_model_is_a_particle_of_its_size_and_mass(tmp_path):
    pytest.importorskip("gemmi")
    xyz = np.random.default_rng(0).uniform(-1, 1, (900, 3)) * [20, 30, 60] + [100, 0, 50]
    found = read_structure(write_model(tmp_path / "a.pdb", xyz))
    assert found.diameter == pytest.approx(np.linalg.norm([40, 60, 120]), rel=0.12)
    canvas = np.zeros((160, 150), np.float32)
    found.draw(canvas, np.array([80.2, 75.6]), 1.5)
    assert canvas.sum() * 1.5**2 == pytest.approx(900 * 12.011 * 1.21 * PHASE, rel=0.03)
    # unturned, rows are y and columns x
    rows, columns = canvas.max(axis=1) > 0.1 * canvas.max(), canvas.max(axis=0) > 0.1 * canvas.max()
    assert rows.sum() * 1.5 == pytest.approx(60, abs=8)
    assert columns.sum() * 1.5 == pytest.approx(40, abs=8)


def test_a_model_is_the_whole_assembly_without_water(tmp_path):
    pytest.importorskip("gemmi")
    turn = "REMARK 350   BIOMT{} {:3d} {:9.6f} {:9.6f} {:9.6f} {:14.5f}\n"
    head = "REMARK 350 BIOMOLECULE: 1\nREMARK 350 APPLY THE FOLLOWING TO CHAINS: A\n"
    for number, shift in ((1, 0.0), (2, 90.0)):
        for row in range(3):
            head += turn.format(row + 1, number, *np.eye(3)[row], shift * (row == 2))
    path = write_model(tmp_path / "a.pdb", np.random.default_rng(0).uniform(-20, 20, (300, 3)))
    single = read_structure(path)
    water = "HETATM  301  O   HOH A 301     900.000   0.000   0.000  1.00 20.00           O\n"
    path.write_text(head + path.read_text().replace("END", water + "END"))
    both = read_structure(path)
    assert both.mass == pytest.approx(2 * single.mass, rel=1e-3)
    assert both.diameter == pytest.approx(np.hypot(130, 40), rel=0.1)


def test_mmcif_is_read_too(tmp_path):
    gemmi = pytest.importorskip("gemmi")
    xyz = np.random.default_rng(0).uniform(-30, 30, (200, 3))
    model = gemmi.read_structure(str(write_model(tmp_path / "a.pdb", xyz)))
    model.make_mmcif_document().write_file(str(tmp_path / "a.cif"))
    assert read_structure(tmp_path / "a.cif").diameter == pytest.approx(
        read_structure(tmp_path / "a.pdb").diameter, rel=0.01
    )


def test_what_is_no_model_is_refused_in_a_line(tmp_path):
    pytest.importorskip("gemmi")
    (tmp_path / "a.pdb").write_text("HEADER    nothing\nEND\n")
    assert "holds no atoms" in error(tmp_path / "a.pdb")
    (tmp_path / "b.cif").write_bytes(bytes(range(256)) * 40)
    assert "b.cif" in error(tmp_path / "b.cif")
    assert "no such file" in error(tmp_path / "c.pdb")
    assert "single particle" in error(write_model(tmp_path / "d.pdb", np.array([[0, 0, 0], [9000.0, 0, 0]])))
    assert "drop the voxel size" in error(tmp_path / "a.pdb", 2.0)


def test_a_model_without_gemmi_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gemmi", None)
    assert "cryopick-napari[simulate]" in error(write_model(tmp_path / "a.pdb", np.zeros((1, 3))))


def test_the_ribosome_is_as_large_as_the_ribosome(data):
    path = data / "volumes" / "ribosome70s.mrc"
    assert read_structure(path, 5.0).diameter == pytest.approx(260, abs=20)
    assert "give --voxel-size" in error(path)
