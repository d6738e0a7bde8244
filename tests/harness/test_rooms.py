"""Rooms: locked by the living, swept of the dead; links and foreign folders are left alone."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kernelwright.harness.rooms import Room, sweep

KEEPS_A_ROOM = """
import sys, time
from kernelwright.harness.rooms import Room
room = Room(sys.argv[1])
print(room.path, flush=True)
time.sleep(60)
"""


def killed_room(base: Path) -> Path:
    """A room whose owner was killed."""
    owner = subprocess.Popen(
        [sys.executable, "-c", KEEPS_A_ROOM, str(base)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    path = Path(owner.stdout.readline().strip())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    return path


def test_the_room_of_a_killed_owner_is_swept(tmp_path: Path):
    room = killed_room(tmp_path)
    (room / "w0" / "tmp").mkdir(parents=True)
    (room / "w0" / "tmp" / "left").write_text("much")
    (room / "zygote.log").write_text("said")
    assert sweep(str(tmp_path)) == [room]
    assert list(tmp_path.iterdir()) == []


def test_the_room_of_the_living_stays(tmp_path: Path):
    mine = Room(str(tmp_path))
    (mine.path / "w0").mkdir()
    assert sweep(str(tmp_path)) == []
    assert (mine.path / "w0").is_dir()
    mine.close()
    assert not mine.path.exists()


def test_a_living_owner_counts_even_where_locks_are_not_seen(tmp_path: Path):
    mine = Room(str(tmp_path))
    os.close(mine._lock)
    assert sweep(str(tmp_path)) == []
    (mine.path / "owner").write_text(f"{os.getpid()} 1")  # its number went to another process
    assert sweep(str(tmp_path)) == [mine.path]


def test_a_room_in_the_making_stays(tmp_path: Path):
    (tmp_path / "kernelwright-young").mkdir()
    (tmp_path / "kernelwright-new").mkdir()
    (tmp_path / "kernelwright-new" / "owner.new").write_text("1 1")
    assert sweep(str(tmp_path)) == []
    assert len(list(tmp_path.iterdir())) == 2


def test_links_are_not_followed(tmp_path: Path):
    base, precious = tmp_path / "base", tmp_path / "precious"
    base.mkdir()
    precious.mkdir()
    (precious / "file").write_text("dear")
    (precious / "owner").write_text("0 0")
    (base / "kernelwright-link").symlink_to(precious)  # the room itself
    held = base / "kernelwright-owner"  # its owner file
    held.mkdir()
    (held / "owner").symlink_to(precious / "owner")
    (held / "kept").write_text("")
    room = killed_room(base)  # what lies in it
    (room / "w0").symlink_to(precious)
    (room / "deep").mkdir()
    (room / "deep" / "link").symlink_to(precious)
    assert sweep(str(base)) == [room]
    assert (precious / "file").read_text() == "dear" and (held / "kept").exists()
    assert (base / "kernelwright-link").is_symlink()


def test_a_pipe_for_an_owner_does_not_hang(tmp_path: Path):
    room = tmp_path / "kernelwright-pipe"
    room.mkdir()
    os.mkfifo(room / "owner")
    assert sweep(str(tmp_path)) == [] and room.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs files of two users")
def test_rooms_of_others_stay(tmp_path: Path):
    room = killed_room(tmp_path)
    os.chown(room, 12345, 12345)
    assert sweep(str(tmp_path)) == []
    os.chown(room, 0, 0)
    os.chown(room / "owner", 12345, 12345)
    assert sweep(str(tmp_path)) == [] and (room / "owner").exists()


def test_however_deep(tmp_path: Path):
    room = killed_room(tmp_path)
    dig = textwrap.dedent("""
        import os, sys
        os.chdir(sys.argv[1])
        for _ in range(1500):
            os.mkdir("d"), os.chdir("d")
    """)
    subprocess.run([sys.executable, "-c", dig, str(room)], check=True)
    assert sweep(str(tmp_path)) == [room]


def test_two_who_sweep_at_once_do_no_harm(tmp_path: Path):
    rooms = [killed_room(tmp_path) for _ in range(3)]
    for room in rooms:
        for n in range(50):
            (room / f"w{n}").mkdir()
    code = "import sys; from kernelwright.harness.rooms import sweep; sweep(sys.argv[1])"
    sweepers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [sweeper.wait() for sweeper in sweepers] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []
