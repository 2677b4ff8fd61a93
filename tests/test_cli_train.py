from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import torch
from commands import DIAMETER, SHAPE, SPACING, error_of, full_disk, run, usage_of, write_fields
from safetensors import safe_open
from safetensors.torch import load_file

from cryopick_napari import training
from cryopick_napari.checkpoint import load_checkpoint
from cryopick_napari.cli.progress import run_training
from cryopick_napari.cli.train import NETWORK_OPTIONS
from cryopick_napari.config import PRESETS, ParticleSize, TrainingConfig
from cryopick_napari.coordinates import CoordinateSet, read_coordinates, write_one
from cryopick_napari.examples import load_examples, new_picker
from cryopick_napari.micrograph import find_micrographs
from cryopick_napari.network import UNet
from cryopick_napari.picker import Picker

RADIUS = ("--particle-radius", DIAMETER / 2)
NETWORK = ("--no-first-look", "--base-features", 2, "--depth", 2)
SMALL = (*NETWORK, "--epoch-crops", 8, "--batch-size", 4, "--patch-size", 32)
TINY = (*SMALL, "--labelled", "fully")
QUICK = (*TINY, "--initial-epochs", 2)
COLUMNS = ["epoch", "step", "loss", "validation_loss", "precision", "recall", "f1", "auc", "threshold"]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with two labelled micrographs."""
    monkeypatch.chdir(write_fields(tmp_path / "project"))


def train(*words, out="out", size=RADIUS, quick=QUICK, data=("--train-data-dir", ".")):
    return run("train", *data, "--output-dir", out, *size, *quick, *words)


def error(capsys, *words, size=RADIUS, data=("--train-data-dir", "."), out="out"):
    said = error_of(capsys, "train", *data, "--output-dir", out, *size, *QUICK, *words)
    assert not Path(out, "model.safetensors").exists()
    return said


def weights(out="out"):
    return load_file(Path(out, "model.safetensors"))


def same(one, other):
    """Equal but for the rounding of sums, whose order may differ from process to process."""
    return one.keys() == other.keys() and all(
        torch.allclose(one[name], other[name], rtol=1e-3, atol=1e-5) for name in one
    )


def alike(one, other):
    """Equal rows, but for rounding."""
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        for name in first:
            assert float(first[name]) == pytest.approx(float(second[name]), rel=1e-3, abs=1e-4, nan_ok=True)


def header(out="out"):
    with safe_open(Path(out, "model.safetensors"), "pt") as file:
        return json.loads(file.metadata()["header"])


def rows(out="out"):
    with Path(out, "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_training_leaves_a_model_and_its_history(capsys):
    assert train() == 0
    said = capsys.readouterr()
    assert sorted(path.name for path in Path("out").iterdir()) == [
        *("history.csv", "history.png", "model.safetensors"),
    ]
    assert list(rows()[0])[: len(COLUMNS)] == COLUMNS
    assert [row["epoch"] for row in rows()] == ["1", "2"]
    assert all(float(row["loss"]) > 0 for row in rows())
    assert Path("out/history.png").read_bytes().startswith(b"\x89PNG")
    assert cv2.imread("out/history.png").std() > 5
    picker = Picker.load("out/model.safetensors")
    assert (picker.config.diameter, picker.config.spacing) == (DIAMETER, SPACING)
    assert picker.config.threshold == header()["training"]["validation"]["threshold"]
    first, second, last = said.out.splitlines()
    assert first == "40 dark particles of 9 px = 18 Å at 2 Å/px on 2 micrographs, all fully labelled"
    assert second.startswith("preset small: ")
    assert last.startswith("out/model.safetensors: on held-out labels F1 ")
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["epoch 1/2", "epoch 2/2"]


def test_the_seed_decides_everything():
    for out, seed in (("one", 7), ("two", 7), ("three", 8)):
        assert train("--seed", seed, out=out) == 0
    assert same(weights("one"), weights("two"))
    assert rows("one") == rows("two")
    assert not same(weights("one"), weights("three"))


def test_sizes_in_angstrom_and_explicit_data():
    data = ("--micrographs", "micrographs/*.mrc", "--coordinates", "coordinates")
    assert train(data=data, size=("--diameter", DIAMETER * SPACING), out="angstrom") == 0
    assert train(out="pixels") == 0
    assert same(weights("angstrom"), weights("pixels"))


def test_validation_on_fields_of_its_own(capsys):
    write_fields(Path("val"), names=["other"])
    assert train("--val-data-dir", "val", "--labelled", "fully") == 0
    own = rows()
    assert train("--labelled", "fully", out="held-out") == 0
    assert own[0]["validation_loss"] != rows("held-out")[0]["validation_loss"]
    assert own[0]["loss"] != rows("held-out")[0]["loss"]  # nothing of the training fields is held out
    shutil.rmtree("val/coordinates")
    assert "val has no folder 'coordinates'" in error(capsys, "--val-data-dir", "val", out="other")


@pytest.mark.parametrize(
    ("labelled", "words"),
    [("auto", "all fully labelled"), ("fully", "all fully"), ("partly", "2 of them labelled only in part")],
)
def test_how_much_is_labelled(capsys, labelled, words):
    assert train("--labelled", labelled) == 0
    assert words in capsys.readouterr().out
    assert (rows()[0]["f1"] == "nan") == (labelled == "partly")


def test_few_clicks_are_taken_for_what_they_are(capsys):
    for path in Path("coordinates").iterdir():
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:6]))
    assert train("--labelled", "auto") == 0
    said = capsys.readouterr().out
    assert "2 of them labelled only in part" in said
    assert "on held-out labels recall" in said


def test_every_setting_is_an_option_and_reaches_the_model():
    changed = {
        **{"initial_epochs": 1, "epoch_crops": 6, "batch_size": 2, "accumulation_steps": 3, "patch_size": 24},
        **{"learning_rate": 2e-4, "weight_decay": 0.5, "gradient_clip": 0.25, "patience": 3, "held_out": 0.3},
        **{"target_radius": 0.75, "precision": "float32", "device": "cpu", "seed": 5},
        **{"self_training_iterations": 1, "retrain_epochs": 2, "first_look": False},
        "neighbours": False,
        "from_scratch": True,
        **{"positive_threshold": 0.8, "negative_threshold": 0.3},
        **{"loss": "focal-dice", "attention_supervision": 0.2, "gate_learning_rate": 1e-3},
    }
    network = {
        **{"network_diameter": 8.0, "base_features": 1, "depth": 1, "gate": "multihead"},
        **{"heads": 2, "spatial_attention": True},
        **{"filter_channel": True, "polarity": "light", "min_distance": 0.75, "contamination_mask": False},
    }
    assert set(changed) == {field.name for field in dataclasses.fields(TrainingConfig)}
    assert set(network) == set(NETWORK_OPTIONS)
    words = [f"--{name.replace('_', '-')}={value}" for name, value in (changed | network).items()]
    words = [word.removesuffix("=True") for word in words]
    words = [f"--no-{word[2:-6]}" if word.endswith("=False") else word for word in words]
    assert train(*words, "--labelled", "partly", quick=()) == 0
    found = header()
    assert {name: found["training"][name] for name in changed} == changed
    assert {name: found["picker"][name] for name in network} == network
    default = TrainingConfig()
    assert all(getattr(default, name) != value for name, value in changed.items())


SURE = ("--positive-threshold", 0.4, "--negative-threshold", 0.3)
ROUND = ("--self-training-iterations", 1, "--retrain-epochs", 2, *SURE)


def test_self_training_says_how_each_round_went(capsys):
    write_fields(Path("new"), names="cd")
    assert train("--unlabelled", "new/micrographs", *ROUND) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == [
        f"epoch {epoch}" for epoch in ("1/2", "2/2", "3/4", "4/4")
    ]
    assert re.fullmatch(
        r"round 1 (kept|rejected): validation loss 0\.\d+ -> 0\.\d+, \d+ picks as labels", lines[-1]
    )
    assert header()["training"]["rounds_kept"] == ("kept" in lines[-1])
    assert [row["epoch"] for row in rows()] == ["1", "2", "3", "4"]


def test_unlabelled_micrographs_that_nothing_learns_from(capsys):
    said = error(capsys, "--unlabelled", "micrographs")
    assert "--unlabelled needs --self-training-iterations" in said
    assert "micrographs without labels: give some" in error(capsys, *ROUND)
    assert "missing: there is no such file" in error(capsys, *ROUND, "--unlabelled", "missing")
    assert "must lie below" in error(capsys, "--negative-threshold", 0.96)


def test_presets_and_what_is_said_beside_them():
    assert train("--preset", "medium", "--weight-decay", 0.02) == 0
    found = header()
    assert found["training"]["learning_rate"] == PRESETS["medium"].training["learning_rate"]
    assert found["training"]["weight_decay"] == 0.02
    assert found["picker"]["base_features"] == 2


def test_the_reference_brings_its_own_size(capsys):
    write_fields(Path())
    assert train("--preset", "reference", size=()) == 0
    assert "particles of 84 px" in capsys.readouterr().out
    assert header()["picker"]["network_diameter"] is None


def test_a_plain_network():
    assert train("--gate", "none", "--network-diameter", "none") == 0
    picker = Picker.load("out/model.safetensors")
    assert type(picker.network.unet) is UNet
    assert picker.config.network_diameter is None


def test_labels_without_micrographs_are_left_out_and_said(capsys):
    Path("micrographs/b.mrc").rename("micrographs/c.mrc")
    assert train() == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: labels of b left out: no such micrograph was given",
        "note: micrographs/c.mrc left out: coordinates has no labels for it",
    ]


def test_bad_folders(capsys, tmp_path):
    def said(micrographs, coordinates):
        return error(capsys, data=("--micrographs", micrographs, "--coordinates", coordinates))

    (tmp_path / "empty").mkdir()
    assert f"{tmp_path}/empty: no micrographs in this folder" in said(tmp_path / "empty", "coordinates")
    assert "missing.mrc: there is no such file" in said("missing.mrc", "coordinates")
    assert f"{tmp_path}/empty: no coordinate files" in said("micrographs", tmp_path / "empty")
    assert "missing" in said("micrographs", "missing")
    Path("other.mrc").write_bytes(Path("micrographs/a.mrc").read_bytes())
    assert "coordinates has labels for a, b, and none of them is other.mrc" in said(
        "other.mrc", "coordinates"
    )
    assert "has no folder 'micrographs'" in error(capsys, data=("--train-data-dir", tmp_path / "empty"))
    assert "not both" in error(capsys, "--coordinates", "coordinates")
    assert "what to learn from?" in error(capsys, data=())
    assert "what to learn from?" in error(capsys, data=("--micrographs", "micrographs"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\nthree,4\n", "line 3: x is 'three', not a number; correct"),
        ("x,z\n1,2\n", "line 1: no column y"),
        ("", "nothing in it; delete it"),
        ("x,y\n1,2\n300,5\n", "1 of 2 labels of micrographs/a.mrc lie outside its 96 rows and 118 columns"),
        ("x,y\n1,nan\n", "not a finite number"),
        ("x,y\n", "nothing to learn from: label at least one particle"),
        ("x,y\n1,2,3\n", "line 2: 3 values for 2 columns"),
    ],
)
def test_bad_coordinates(capsys, text, words):
    Path("a.csv").write_text(text)
    said = error(capsys, data=("--micrographs", "micrographs/a.mrc", "--coordinates", "a.csv"))
    assert words in said
    assert "a.csv" in said or "a.mrc" in said or "nothing to learn" in said


def test_labels_of_a_program_that_counts_from_the_other_end_are_noticed(capsys):
    quick = ("--depth", 0, "--labelled", "fully")
    assert train(quick=quick) == 0
    assert "mirrored" not in capsys.readouterr().err
    for name in "ab":
        rows = CoordinateSet(name, read_coordinates(f"coordinates/{name}.csv")[0].picks, SHAPE)
        write_one(rows.flipped_y(), Path("coordinates"), "csv")
    assert train(quick=quick) == 0
    assert "note: the labels fit the micrographs better mirrored top to bottom" in capsys.readouterr().err


def test_bad_sizes(capsys):
    for value in (0, -5, "nan", "inf"):
        assert "diameter must be above 0" in error(capsys, size=(f"--diameter={value}",))
        assert "diameter must be above 0" in error(capsys, size=(f"--particle-radius={value}",))
    assert "larger than micrographs/a.mrc (96 x 118 px)" in error(capsys, size=("--diameter", 2000))
    assert "larger than micrographs/a.mrc" in error(capsys, size=("--particle-radius", 1e30))
    assert "give --diameter (Å) or --particle-radius" in error(capsys, size=())
    said = error(capsys, "--spacing", 3)
    assert (
        "micrographs/a.mrc: --spacing, or the list it is in, says 3 Å/px, its header 2: drop --spacing or"
        in said
    )
    for spacing in (0, -1, "nan"):
        assert "--spacing must be a number of Å/px above 0" in error(capsys, f"--spacing={spacing}")
    write_fields(Path("unknown"), spacing=None)
    data = ("--train-data-dir", "unknown")
    assert "give --spacing, or the size in pixels" in error(capsys, size=("--diameter", 18), data=data)
    assert train("--spacing", 2, size=("--diameter", 18), data=data) == 0


@pytest.mark.parametrize(
    "option",
    [
        *("initial-epochs=0", "epoch-crops=0", "batch-size=-1", "patch-size=0", "learning-rate=0"),
        *("learning-rate=nan", "held-out=1", "patience=-1", "seed=-1", "seed=99999999999999999999"),
        *("device=abacus", "base-features=0", "depth=99", "network-diameter=-1", "min-distance=nan"),
        *("heads=0", "attention-supervision=-1", "gate-learning-rate=0", "gate-learning-rate=nan"),
        *("weight-decay=inf", "self-training-iterations=-1", "retrain-epochs=0", "positive-threshold=1.1"),
    ],
)
def test_bad_settings(capsys, option):
    name, _ = option.split("=")
    assert name.split("-")[-1] in error(capsys, f"--{option}")


def test_a_plain_unet_has_no_attention_to_supervise(capsys):
    assert "take another --gate" in error(capsys, "--gate", "none", "--attention-supervision", 0.1)
    assert "take another --gate" in error(capsys, "--gate", "none", "--gate-learning-rate", 1e-3)


def test_wrong_usage(capsys):
    def usage(*words):
        return usage_of(capsys, "train", "--train-data-dir", ".", *words)

    assert "not allowed with" in usage("--output-dir", "out", *RADIUS, "--diameter", 18)
    assert "invalid int value: 'many'" in usage("--output-dir", "out", *RADIUS, "--initial-epochs", "many")
    assert "invalid choice: 'golden'" in usage("--output-dir", "out", *RADIUS, "--gate", "golden")
    assert "--flavour" in usage("--output-dir", "out", *RADIUS, "--flavour", "salt")


def test_an_output_folder_that_is_a_file(capsys):
    Path("file").write_text("mine")
    assert "cannot make the folder file" in error_of(
        capsys, "train", "--train-data-dir", ".", "--output-dir", "file", *RADIUS, *QUICK
    )
    assert "cannot make the folder file/out" in error(capsys, out="file/out")
    assert Path("file").read_text() == "mine"


def test_a_full_disk_leaves_no_half_files(capsys):
    with full_disk(5000):
        said = error(capsys)
    assert "cannot write out/checkpoint.safetensors" in said
    assert not any(Path("out").iterdir())


def test_training_that_diverges_says_so(capsys):
    assert "lower --learning-rate" in error(capsys, "--learning-rate", 1e30, "--gradient-clip", 1e30)


# Interrupted trainings.


def process(*words, out="out"):
    """Begin a training in a process of its own, with as many threads as here."""
    command = [sys.executable, "-m", "cryopick_napari", "train", "--train-data-dir", ".", "--output-dir", out]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    words = [*command, *map(str, (*RADIUS, *words))]
    return subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_for(path, job):
    while not Path(path).exists() and job.poll() is None:
        time.sleep(0.005)


LONG = (*TINY, "--epoch-crops", 24, "--initial-epochs", 8, "--patience", 0)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A folder with the result of the long training."""
    folder = write_fields(tmp_path_factory.mktemp("uninterrupted"))
    assert train(data=("--train-data-dir", folder), out=folder, quick=LONG) == 0
    return folder


@POSIX
def test_killed_and_resumed_is_as_if_nothing_had_happened(uninterrupted):
    with process(*LONG) as job:
        wait_for("out/history.csv", job)
        job.kill()
        job.communicate()
    assert job.returncode == -signal.SIGKILL
    assert 0 < len(rows()) < 8
    assert not Path("out/model.safetensors").exists()
    assert train("--resume", quick=LONG) == 0
    assert same(weights(), weights(uninterrupted))
    assert header()["picker"].keys() == header(uninterrupted)["picker"].keys()
    alike(rows(), rows(uninterrupted))
    assert Path("out/history.png").stat().st_size > 0
    assert not Path("out/checkpoint.safetensors").exists()


@POSIX
def test_ctrl_c_keeps_the_best_and_can_be_gone_on_from(capsys, uninterrupted):
    with process(*LONG) as job:
        assert job.stderr.readline().startswith("epoch 1/8: loss ")
        job.send_signal(signal.SIGINT)
        _, errors = job.communicate(timeout=60)
    assert job.returncode == 130
    assert "stopping; the best result is kept" in errors
    assert "Traceback" not in errors
    assert Picker.load("out/model.safetensors").training["initial_epochs"] == 8
    assert Path("out/checkpoint.safetensors").exists()
    assert Path("out/history.png").exists()
    done = load_checkpoint(Path("out/checkpoint.safetensors"), "training").header["epoch"]
    assert 1 <= done < 8
    assert train("--resume", quick=LONG) == 0
    assert f"epoch {done + 1}/8" in capsys.readouterr().err.splitlines()[0]
    assert same(weights(), weights(uninterrupted))
    alike(rows(), rows(uninterrupted))
    assert not Path("out/checkpoint.safetensors").exists()


@POSIX
def test_ctrl_c_in_the_first_epoch_leaves_a_model_too():
    before = signal.getsignal(signal.SIGINT)  # ignored, where a shell runs this in the background
    size = ParticleSize(DIAMETER, in_angstrom=False)
    examples, _ = load_examples(find_micrographs(["micrographs"]), Path("coordinates"), size)
    picker = new_picker(examples, radius=DIAMETER / 2, settings={"base_features": 2, "depth": 2})
    config = TrainingConfig(initial_epochs=3, epoch_crops=12, batch_size=4, patch_size=32)

    def interrupted():
        job = training.train(picker, examples, config)
        answer = None
        while True:
            try:
                progress = job.send(answer)
            except StopIteration as end:
                return end.value
            if progress.phase == "training" and progress.validation is None:
                os.kill(os.getpid(), signal.SIGINT)
            answer = yield progress

    trained, stopped = run_training(interrupted(), Path())
    assert stopped
    assert same(load_file("model.safetensors"), trained.network.state_dict())
    assert [(row["epoch"], row["step"]) for row in rows(".")] == [("1", "1")]
    assert not Path("checkpoint.safetensors").exists()  # half an epoch is nothing to go on from
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("schedule", [("--initial-epochs", 3), ("--initial-epochs", 40, "--patience", 1)])
def test_stopped_after_the_last_epoch_nothing_is_trained_again(capsys, schedule):
    quick = (*TINY, *schedule)
    assert train(out="uninterrupted", quick=quick) == 0
    Path("out/model.safetensors").mkdir(parents=True)  # the model cannot be written, as on a full disk
    assert "cannot write out/model.safetensors" in error_of(
        capsys, "train", "--train-data-dir", ".", "--output-dir", "out", *RADIUS, *quick
    )
    Path("out/model.safetensors").rmdir()
    Path("out/history.png").unlink()
    assert train("--resume", quick=quick) == 0
    assert "epoch" not in capsys.readouterr().err
    assert same(weights(), weights("uninterrupted"))
    assert rows() == rows("uninterrupted")
    assert Path("out/history.png").read_bytes() == Path("uninterrupted/history.png").read_bytes()


def test_rounds_that_were_interrupted_begin_anew(capsys):
    write_fields(Path("new"), names="cd")
    words = ("--unlabelled", "new/micrographs", *ROUND)
    assert train(*words, out="uninterrupted") == 0
    Path("out/model.safetensors").mkdir(parents=True)  # the model cannot be written, as on a full disk
    assert "cannot write" in error_of(
        capsys, "train", "--train-data-dir", ".", "--output-dir", "out", *RADIUS, *QUICK, *words
    )
    Path("out/model.safetensors").rmdir()
    assert train("--resume", *words) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()][:2] == [
        "epoch 3/4",
        "epoch 4/4",
    ]
    assert same(weights(), weights("uninterrupted"))
    assert rows() == rows("uninterrupted")


def test_nothing_to_resume(capsys):
    assert "out holds no interrupted training" in error(capsys, "--resume")


def test_resuming_with_other_settings_or_files_is_refused(capsys):
    Path("out/model.safetensors").mkdir(parents=True)
    error_of(capsys, "train", "--train-data-dir", ".", "--output-dir", "out", *RADIUS, *QUICK)
    Path("out/model.safetensors").rmdir()
    assert "had other settings" in error(capsys, "--resume", "--seed", 3)
    assert "was of another network" in error(capsys, "--resume", "--depth", 1)
    assert train(out="done") == 0
    shutil.copy("done/model.safetensors", "out/checkpoint.safetensors")
    assert "holds a model, not a training" in error(capsys, "--resume")
    Path("out/checkpoint.safetensors").write_bytes(b"rubbish")
    assert "checkpoint.safetensors is damaged" in error(capsys, "--resume")


def test_the_model_of_a_training_before_is_kept(capsys):
    assert train() == 0
    first = Path("out/model.safetensors").read_bytes()
    assert train("--seed", 5) == 0
    assert "the model that was there before is now out/model-before.safetensors" in capsys.readouterr().err
    assert Path("out/model-before.safetensors").read_bytes() == first
    assert Path("out/model.safetensors").read_bytes() != first


def test_labels_that_lie_nearer_than_any_particles_can_are_said(capsys):
    words = ("train", "--train-data-dir", ".", "--output-dir", "out", *QUICK)
    assert run(*words, "--particle-radius", DIAMETER / 2) == 0
    assert "diameter too large" not in capsys.readouterr().err
    assert run(*words, "--particle-radius", 4 * DIAMETER) == 0
    assert "half of the labelled particles lie within 0.2" in capsys.readouterr().err
