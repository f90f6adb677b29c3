"""Stage lines, the quiet run, and finding the user's mistake in what Beam wraps around it."""

import io
import logging
import os

import pytest

from pipeline.progress import StageProgress, find_input_error, quiet
from transforms.input_error import InputError


def log(progress: StageProgress, message: str) -> None:
    progress.emit(logging.LogRecord("absl", logging.INFO, "file", 1, message, None, None))


def test_progress_numbers_stages_and_tells_cached_from_run():
    out = io.StringIO()
    progress = StageProgress(["LogIngest", "Transform"], out)
    log(progress, "Component LogIngest is running.")
    log(progress, "A cached execution 7 is used.")
    log(progress, "Component LogIngest is finished.")
    log(progress, "something else")
    log(progress, "node Transform is running.")
    log(progress, "node Transform is finished.")
    lines = out.getvalue().splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["[", "1/2]", "LogIngest"],
        ["[", "1/2]", "LogIngest"],
        ["[", "2/2]", "Transform"],
        ["[", "2/2]", "Transform"],
    ]
    assert lines[1].endswith("done before")
    assert lines[3].endswith("0.0 s")


def test_quiet_sends_stderr_to_the_file_and_yields_the_real_one(tmp_path, capfd):
    path = tmp_path / "root" / "run.log"
    with quiet(str(path)) as out:
        os.write(2, b"from C++\n")
        print("for the user", file=out, flush=True)
    os.write(2, b"afterwards\n")
    assert path.read_text().splitlines() == ["from C++"]
    assert capfd.readouterr().err.splitlines() == ["for the user", "afterwards"]


def test_quiet_names_a_root_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"), quiet(str(tmp_path / "file" / "run.log")):
        pass


def test_find_input_error_looks_through_wrapping():
    try:
        try:
            raise InputError("a column is missing [while running 'Read']")
        except InputError as error:
            raise RuntimeError("stage failed") from error
    except RuntimeError as wrapped:
        found = find_input_error(wrapped)
    assert str(found) == "a column is missing"


def test_find_input_error_reads_what_a_worker_hands_over_as_text():
    text = "Traceback …\ntransforms.input_error.InputError: the log is empty [while running 'X-ptransform-7']\n\n"
    assert str(find_input_error(RuntimeError(text))) == "the log is empty"


def test_a_defect_is_no_input_error():
    assert find_input_error(KeyError("oops")) is None
