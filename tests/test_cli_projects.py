"""``--project``: the command line goes on with what the window began."""

from __future__ import annotations

import shutil

import pytest
from commands import error_of, run

from cryopick_napari.cli import EXIT_DONE
from cryopick_napari.coordinates import read_coordinates
from cryopick_napari.holding import hold
from cryopick_napari.labels import Labels
from cryopick_napari.metrics import STRICT, score
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project, Settings
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample, samples

QUICK = ("--initial-epochs", 2, "--base-features", 8, "--depth", 2, "--from-scratch")


@pytest.fixture
def project(tmp_path):
    """Three samples of a window, of which one is labelled and another rejected."""
    files = [shutil.copy(path, tmp_path) for path in samples()[:3]]
    project = Project.opened(tmp_path / "project")
    project.save_settings(
        Settings(tuple(map(str, files)), diameter=SAMPLE_DIAMETER, rejected=(str(files[2]),))
    )
    truth = sample(0)[1]
    project.save_labels(tmp_path / "sample-0-plain.mrc", Labels(truth.where(range(40))))
    return project


def test_training_keeps_its_model_in_the_project_and_picking_uses_it(project, tmp_path, capsys):
    assert run("train", "--project", project.folder, *QUICK) == EXIT_DONE
    assert "model 1.safetensors: on held-out labels" in capsys.readouterr().out
    assert project.settings().model == "model 1"
    record = project.models.record("model 1")
    assert (record.labels, record.micrographs, len(record.rows)) == (40, 1, 2)

    assert run("pick", "--project", project.folder) == EXIT_DONE
    assert "2 micrographs picked by model 1, 0 were before" in capsys.readouterr().out
    first = project.picks(tmp_path / "sample-0-plain.mrc")
    assert first is not None
    assert first[1] == "model 1"
    assert project.picks(tmp_path / "sample-2-carbon.mrc") is None

    wrong = Picks.of(first[0].yx[:1])
    labels = project.labels(tmp_path / "sample-0-plain.mrc")
    project.save_labels(tmp_path / "sample-0-plain.mrc", Labels(labels.positives, wrong))
    out = tmp_path / "out"
    assert run("pick", "--project", project.folder, "--output", out, "--format", "csv") == EXIT_DONE
    assert "0 micrographs picked by model 1, 2 were before" in capsys.readouterr().out
    assert sorted(path.name for path in out.glob("*.csv")) == ["sample-0-plain.csv", "sample-1-crowded.csv"]
    (written,) = read_coordinates(out / "sample-0-plain.csv")
    found = score(written.picks, sample(0)[1], STRICT * SAMPLE_DIAMETER / 3)
    assert found.recall > 0.3  # the labelled ones at least
    assert not (abs(written.picks.yx - wrong.yx) < 0.01).all(axis=1).any()
    assert not list(project.folder.glob("in-use*"))


def test_without_a_model_the_general_one_picks(project, capsys):
    assert run("pick", "--project", project.folder) == EXIT_DONE
    said = capsys.readouterr()
    assert "its 'general model 1' is the general one" in said.err
    assert project.settings().model == "general model 1"
    assert run("pick", "--project", project.folder) == EXIT_DONE
    assert "0 micrographs picked by general model 1, 2 were before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pick", "--model", "a"), "leave out --model"),
        (("pick", "a.mrc"), "leave out the paths"),
        (("pick", "--shard", "1/2"), "leave out --shard"),
        (("pick", "--no-contamination-mask"), "leave out --contamination-mask"),
        (("pick", "--threshold", 2), "between 0 and 1"),
        (("train", "--output-dir", "a"), "leave out --output-dir"),
        (("train", "--micrographs", "a.mrc"), "leave out --micrographs"),
        (("train", "--diameter", 100), "leave out --diameter"),
        (("train", "--resume"), "no interrupted training"),
    ],
)
def test_what_does_not_go_together_is_refused(project, capsys, words, said):
    assert said in error_of(capsys, *words, "--project", project.folder)


@pytest.mark.parametrize("command", ["pick", "train"])
def test_a_project_must_be_there_and_free(project, tmp_path, capsys, command):
    assert "is no project" in error_of(capsys, command, "--project", tmp_path / "other")
    held = hold(project.folder)
    assert held is not None
    assert "in use" in error_of(capsys, command, "--project", project.folder)
    held.release()


def test_a_project_says_what_it_lacks(project, capsys):
    settings = project.settings()
    project.save_settings(Settings(settings.micrographs))
    assert "diameter first" in error_of(capsys, "train", "--project", project.folder)
    assert "say it under Label" in error_of(capsys, "pick", "--project", project.folder)
    project.save_settings(Settings())
    assert "no micrographs" in error_of(capsys, "pick", "--project", project.folder)


@pytest.mark.parametrize(("words", "option"), [(("pick", "a.mrc"), "--output"), (("train",), "--output-dir")])
def test_without_a_project_the_output_has_a_place(capsys, words, option):
    assert f"give {option}, or --project" in error_of(capsys, *words)
