"""A RELION project and jobs in it, run from its folder as RELION runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import starfile
from commands import DIAMETER, GRID, SHAPE, SPACING, run
from drawing import blob_detector, drawn_micrograph, near

from cryopick_napari.config import PickerConfig
from cryopick_napari.coordinates import CoordinateSet, read_coordinates, write_coordinates
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.relion_job import JobFolder, relion_version

JOB = "External/job005/"
LIST = "CtfFind/job003/micrographs_ctf.star"
TINY = ("--no_first_look", "--base_features", 2, "--depth", 2, "--epoch_crops", 8, "--patch_size", 32)
WORDS = ("relion-job", "--o", JOB, "--in_mics", LIST)
NAMES = [f"MotionCorr/job002/Movies/{name}.mrc" for name in ("grid1/a", "grid2/a", "grid2/b")]
CTF = """
# version 50001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
_rlnMicrographOriginalPixelSize #7
opticsGroup1 1 2.000000 300.000000 2.700000 0.100000 1.000000


# version 50001

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnCtfImage #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnDefocusAngle #6
"""
PIPELINE = {
    "3.1": "data_pipeline_nodes\n\nloop_\n_rlnPipeLineNodeName #1\n_rlnPipeLineNodeType #2\n",
    "4": "_rlnPipeLineNodeTypeLabel #2\nmicrographs_ctf.star MicrographsData.star.relion.ctf\n",
    "5": "_rlnPipeLineNodeTypeLabel #2\nmicrographs_ctf.star MicrographGroupMetadata.star.relion\n",
}


def truth(name: str) -> np.ndarray:
    return GRID + np.random.default_rng(NAMES.index(name)).uniform(-4, 4, GRID.shape)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three micrographs without a pixel size of their own, two of the same stem; a list that knows it."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(NAMES):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(Path(name), drawn_micrograph(truth(name), SHAPE, seed=seed).image)
    Path(LIST).parent.mkdir(parents=True)
    rows = "".join(f"{name} 1 {name}.ctf:mrc {10000 + 10 * n}.5 9900 45\n" for n, name in enumerate(NAMES))
    Path(LIST).write_text(CTF + rows)
    Path("default_pipeline.star").write_text(PIPELINE["5"])
    config = PickerConfig(DIAMETER, SPACING, DIAMETER, 2, 2, filter_channel=False)
    blob_detector(config).save(Path("model.safetensors"))
    return tmp_path


def start(*words: object) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "cryopick_napari",
        "relion-job",
        "--o",
        JOB,
        "--in_mics",
        LIST,
        *map(str, words),
    ]
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        [*command, "--j", "1"],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def job(*words: object) -> tuple[int, str]:
    process = start(*words)
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


def picked_by_hand() -> str:
    """Write what RELION's manual picking leaves of the first micrograph."""
    labels = CoordinateSet(NAMES[0], Picks.of(truth(NAMES[0])), SHAPE)
    index = write_coordinates([labels], Path("ManualPick/job004"), "relion", root=Path("MotionCorr/job002"))[
        -1
    ]
    return str(index.rename(index.with_name("manualpick.star")))


def markers() -> set[str]:
    return {path.name.removeprefix("RELION_JOB_") for path in Path(JOB).glob("RELION_JOB_*")}


def test_picking_leaves_what_relion_looks_for(project: Path) -> None:
    code, said = job("--model", "model.safetensors", "--pipeline_control", JOB)
    assert (code, markers()) == (0, {"EXIT_SUCCESS"}), said
    index = starfile.read(f"{JOB}autopick.star", always_dict=True)["coordinate_files"]
    assert index["rlnMicrographName"].tolist() == NAMES  # letter for letter those of the list
    files = [f"{JOB}Movies/{name}_autopick.star" for name in ("grid1/a", "grid2/a", "grid2/b")]
    assert index["rlnMicrographCoordinates"].tolist() == files
    for name, file in zip(NAMES, files, strict=True):
        assert near(read_coordinates(file)[0].picks.yx, truth(name)) < 1
    nodes = starfile.read(f"{JOB}RELION_OUTPUT_NODES.star", always_dict=True)["output_nodes"]
    assert nodes.iloc[0].tolist() == [f"{JOB}autopick.star", "MicrographCoordsGroup.star.relion.autopick"]


def test_the_particles_know_pixel_size_microscope_and_defocus(project: Path) -> None:
    assert run(*WORDS, "--model", "model.safetensors") == 0
    tables = starfile.read(f"{JOB}particles.star")
    optics = tables["optics"].iloc[0]
    assert optics["rlnMicrographPixelSize"] == SPACING
    assert (optics["rlnVoltage"], optics["rlnSphericalAberration"], optics["rlnAmplitudeContrast"]) == (
        300,
        2.7,
        0.1,
    )
    defocus = tables["particles"].groupby("rlnMicrographName")["rlnDefocusU"].unique()
    assert [defocus[name].tolist() for name in NAMES] == [[10000.5], [10010.5], [10020.5]]


def test_a_list_picked_from_elsewhere_keeps_the_names_of_its_project(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert run("pick", project / LIST, "--model", project / "model.safetensors", "--output", "out") == 0
    assert [rows.micrograph for rows in read_coordinates("out")] == NAMES


def test_it_learns_from_picks_and_then_picks_everything(project: Path) -> None:
    size = ("--diameter", DIAMETER * SPACING, "--depth", 0)
    code, said = job("--in_coords", picked_by_hand(), *size)
    assert (code, markers()) == (0, {"EXIT_SUCCESS"}), said
    assert Path(JOB, "model.safetensors").is_file()
    found = {rows.micrograph: rows.picks for rows in read_coordinates(f"{JOB}autopick.star")}
    assert list(found) == NAMES
    assert all(near(found[name].yx, truth(name)) < 2 for name in NAMES)


def test_abort_stops_it_soon(project: Path) -> None:
    size = ("--diameter", DIAMETER * SPACING, "--initial_epochs", 10_000, *TINY)  # as typed in the window
    process = start("--in_coords", picked_by_hand(), *size)
    history = Path(JOB, "history.csv")
    for _ in range(1800):
        if history.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    Path(JOB, "RELION_JOB_ABORT_NOW").touch()
    process.communicate(timeout=180)
    assert (process.returncode, markers()) == (130, {"EXIT_ABORTED"})
    assert Path(JOB, "model.safetensors").is_file()  # the best so far is kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "how large is a particle? give --diameter"),
        (("--model", "m.safetensors", "--in_coords", "a.star"), "or --model to pick with, not both"),
        (("--model", "gone.safetensors"), "gone.safetensors"),
        (("--model", "model.safetensors", "--treshold", "0.3"), "unrecognized arguments: --treshold"),
        (("--model", "model.safetensors", "--j", "many"), "invalid int value"),
    ],
)
def test_a_failure_is_marked_whatever_it_is(
    project: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    Path(JOB).mkdir(parents=True)
    Path(JOB, "RELION_JOB_EXIT_SUCCESS").touch()  # of an earlier run
    with suppress(SystemExit):
        assert run(*WORDS, *words) == 1
    assert markers() == {"EXIT_FAILURE"}
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("version", PIPELINE)
def test_each_relion_names_its_nodes_in_its_own_way(project: Path, version: str) -> None:
    Path("default_pipeline.star").write_text(PIPELINE[version])
    assert relion_version(project) == version
    folder = JobFolder(Path(JOB))
    folder.begin()
    (folder.path / "autopick.star").write_text("data_coordinate_files\n")
    folder.write_nodes(Path(LIST), relion_version(project))
    row = starfile.read(folder.path / "RELION_OUTPUT_NODES.star", always_dict=True)["output_nodes"].iloc[0]
    if version == "3.1":
        assert row.tolist() == [f"{JOB}coords_suffix_autopick.star", 2]
        assert (folder.path / "coords_suffix_autopick.star").read_text() == f"{LIST}\n"
    else:
        assert row["rlnPipeLineNodeTypeLabel"].startswith(
            "MicrographsCoords" if version == "4" else "MicrographCoordsGroup"
        )
