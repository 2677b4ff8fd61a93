from __future__ import annotations

import subprocess
import sys
import time

import pytest
from commands import DIAMETER, error_of, like_anybody, run, usage_of, write_fields

import cryopick_napari
from cryopick_napari.cli import COMMANDS, main

LARGE = {"torch", "numpy", "scipy", "cv2", "matplotlib", "qtpy"}
ENOUGH = {
    "pick": ["x.mrc", "--model", "m", "--output", "out"],
    "evaluate": ["a", "b", "--particle-radius", "9"],
    "convert": ["a", "b"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: cryopick {command}")
    assert COMMANDS[command][1:] in " ".join(said.split())


def test_no_words_at_all_are_a_question_for_help(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"\n    {command}" in said for command in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"cryopick {cryopick_napari.__version__}\n"


@pytest.mark.parametrize("words", [["trian"], ["--flavour"], ["evaluate", "a"], ["convert", "a"]])
def test_wrong_usage(capsys, words):
    usage_of(capsys, *words)


@pytest.mark.parametrize("command", ENOUGH)
def test_unknown_options_and_formats_are_wrong_usage(capsys, command):
    assert "--flavour" in usage_of(capsys, command, *ENOUGH[command], "--flavour", "salt")
    if command != "evaluate":
        assert "invalid choice: 'xml'" in usage_of(capsys, command, *ENOUGH[command], "--format", "xml")


def test_both_sizes_are_wrong_usage(capsys):
    said = usage_of(capsys, "evaluate", *ENOUGH["evaluate"], "--diameter", "9")
    assert "not allowed with" in said


@pytest.mark.parametrize("command", [[], ["train"], ["pick"], ["evaluate"], ["convert"]], ids=str)
def test_help_imports_neither_torch_nor_other_large_things(command):
    code = (
        "import sys; from cryopick_napari.cli import main\n"
        f"try: main({[*command, '--help']})\n"
        f"finally: print(*sorted({LARGE} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_help_comes_at_once():
    def seconds():
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cryopick_napari", "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.3


WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")


@WINDOWS
@pytest.mark.parametrize("inside", ["a.csv", "folder/a.csv"])
@pytest.mark.parametrize(
    "words",
    [
        ["convert", "{place}", "out.csv"],
        ["convert", "{file}", "{place}"],
        ["evaluate", "{file}", "{place}", "--particle-radius", 9],
        ["pick", "{file}", "--model", "{place}", "--output", "out"],
        ["pick", "{place}", "--model", "m", "--output", "out"],
        ["train", "--train-data-dir", "{place}", "--output-dir", "out", "--particle-radius", 9],
    ],
    ids=lambda words: f"{words[0]}-{words.index('{place}')}",
)
def test_a_closed_folder_is_an_error_in_one_line(capsys, tmp_path, words, inside):
    closed, file = tmp_path / "closed", tmp_path / "a.csv"
    (closed / inside).parent.mkdir(parents=True)
    file.write_text("x,y\n1,2\n")
    closed.chmod(0)
    try:
        with like_anybody():
            said = error_of(capsys, *(str(word).format(place=closed / inside, file=file) for word in words))
    finally:
        closed.chmod(0o755)
    assert str(closed) in said


@WINDOWS
def test_a_read_only_folder_is_an_error_in_one_line(capsys, tmp_path):
    data = write_fields(tmp_path / "data")
    size = ("--particle-radius", DIAMETER / 2)
    quick = ("--initial-epochs", 1, "--epoch-crops", 2, "--patch-size", 16, "--base-features", 1)
    assert run("train", "--train-data-dir", data, "--output-dir", tmp_path, *size, *quick) == 0
    model = tmp_path / "model.safetensors"
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    for words in (
        ("train", "--train-data-dir", data, "--output-dir", locked, *size, *quick),
        ("pick", data / "micrographs", "--model", model, "--output", locked),
        ("pick", data / "micrographs", "--model", model, "--output", locked / "new"),
        ("convert", data / "coordinates" / "a.csv", locked / "a.csv"),
        ("convert", data / "coordinates", locked, "--format", "relion"),
    ):
        with like_anybody():
            said = error_of(capsys, *words)
        assert str(locked) in said
        assert "Permission denied" in said
    assert not any(locked.iterdir())
