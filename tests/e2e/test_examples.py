"""Each folder of examples/: what its run.sh prints is what it says is expected."""
import os
import subprocess

import pytest

from optional import need
from server import PATIENCE, PROGRAM, ROOT

FOLDERS = sorted(file.parent for file in (ROOT / "examples").glob("*/run.sh"))


def check_example(folder, tmp_path, **env):
    process = subprocess.Popen(
        [folder / "run.sh"], cwd=tmp_path, env={**os.environ, "MOONTRAIL": PROGRAM, **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        raise
    assert (out, err) == ((folder / "expected").read_text(), "")
    assert process.returncode == 0


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_example(folder, tmp_path):
    if (folder / "client.py").exists():
        need("grpc", "google.protobuf", "protoc")
    if (folder / "page.html").exists():
        need("chromium")
    if folder.name == "etcd":
        need("etcd")
    check_example(folder, tmp_path)


def test_notes_move_to_another_database_by_its_url(request, tmp_path):
    need("postgres")
    database = request.getfixturevalue("database")
    database.ask("create database notes")
    check_example(ROOT / "examples/notes-api", tmp_path,
                  DATABASE_URL=database.url("notes", "?sslmode=disable"))


def test_there_are_examples():
    assert {"aggregate", "chat", "counter", "edge", "etcd", "gateway-grpc", "grpc-edge", "notes-api",
            "programs", "reset", "streaming", "trailers"} <= {folder.name for folder in FOLDERS}
