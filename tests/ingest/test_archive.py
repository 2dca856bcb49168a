"""Unpacking: what comes out, what is refused, and what is too much."""

import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from ingest import Limits, PasswordRequired, ReadOptions, SourceTooLarge, UnreadableSource, UnsupportedSource
from ingest.archive import Unpacked, unpack_archive
from ingest.options import MIB


def unpack(path: Path, target: Path, **options: object) -> Unpacked:
    target.mkdir(exist_ok=True)
    read = ReadOptions(**options)  # type: ignore[arg-type]
    return Unpacked.from_json(unpack_archive(path, path.name, target, read, lambda done, total: None))


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_with_every_packing(tmp_path: Path, mode: str) -> None:
    members = {"repo/a.py": b"x = 1\n", "repo/deep/b.txt": b"text"}
    unpacked = unpack(tarred(tmp_path / "repo.tar", members, mode), tmp_path / "out")
    assert files_below(tmp_path / "out") == members
    assert unpacked == Unpacked("repo", (), 10)


def test_zip_without_a_single_top_folder_keeps_its_names(tmp_path: Path) -> None:
    unpacked = unpack(zipped(tmp_path / "a.zip", {"a.txt": b"1", "b/c.txt": b"2"}), tmp_path / "out")
    assert files_below(tmp_path / "out") == {"a.txt": b"1", "b/c.txt": b"2"}
    assert unpacked.top == ""


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:/evil.txt"])
def test_a_member_never_leads_outside(tmp_path: Path, kind: str, name: str) -> None:
    make = zipped if kind == "zip" else tarred
    unpacked = unpack(make(tmp_path / "slip", {name: b"evil", "good.txt": b"good"}), tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["good.txt"]
    assert not Path("/evil.txt").exists()
    assert [(each.source, each.why) for each in unpacked.problems] == [(name, "its name leads outside the archive")]


def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in {"sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE}.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    unpacked = unpack(tmp_path / "a.tar", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert [each.why for each in unpacked.problems] == [
        "it is a link",
        "it is a link",
        "it is a device or a named pipe",
    ]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert [each.why for each in unpack(tmp_path / "a.zip", tmp_path / "out").problems] == ["it is a link"]


def test_very_deep_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"d/" * 2000 + "a.txt": b"1", "b.txt": b"2"})
    assert unpack(path, tmp_path / "out").problems[0].why == "it lies more than 100 folders deep"
    assert files_below(tmp_path / "out") == {"b.txt": b"2"}


def test_permission_bits_are_not_taken_over(tmp_path: Path) -> None:
    program = zipfile.ZipInfo("run.sh")
    program.external_attr = (stat.S_IFREG | 0o4777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(program, "echo")
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not os.stat(tmp_path / "out" / "run.sh").st_mode & 0o7111


def test_a_name_twice_keeps_the_first(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "second")
    unpacked = unpack(tmp_path / "a.zip", tmp_path / "out")
    assert files_below(tmp_path / "out") == {"a.txt": b"first"}
    assert "a member of that name already" in unpacked.problems[0].why


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "gz"])
def test_a_bomb_is_too_large(tmp_path: Path, kind: str) -> None:
    zeros = bytes(8 * MIB)
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        zipped(path, {"zeros.txt": zeros})
    elif kind == "tar.gz":
        tarred(path, {"zeros.txt": zeros}, "w:gz")
    else:
        path.write_bytes(gzip.compress(zeros))
    with pytest.raises(SourceTooLarge, match="more than 200 times its packed size, the limit"):
        unpack(path, tmp_path / "out")


def test_declared_sizes_are_checked_before_unpacking(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.bin": os.urandom(2 * MIB)})
    with pytest.raises(SourceTooLarge, match="unpacks to more than 1 MiB, the limit"):
        unpack(path, tmp_path / "out", limits=Limits(max_archive_bytes=MIB))
    assert files_below(tmp_path / "out") == {}


def test_a_lie_about_the_size_is_noticed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.txt": b"0123456789" * 1000})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24  # the declared size in the list of members
    data[at : at + 4] = (5).to_bytes(4, "little")
    path.write_bytes(data)
    unpacked = unpack(path, tmp_path / "out")
    assert "cannot be unpacked" in unpacked.problems[0].why
    assert files_below(tmp_path / "out") == {}


def test_too_many_members(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{number}.txt": b"" for number in range(11)})
    with pytest.raises(SourceTooLarge, match=r"a.zip has more than 10 members, the limit"):
        unpack(path, tmp_path / "out", limits=Limits(max_archive_members=10))


def test_one_damaged_member_does_not_stop_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bad.txt", "AAAABBBB")
        archive.writestr("good.txt", "good")
    path.write_bytes(path.read_bytes().replace(b"AAAABBBB", b"AAAAXXXX"))
    unpacked = unpack(path, tmp_path / "out")
    assert files_below(tmp_path / "out") == {"good.txt": b"good"}
    assert unpacked.problems[0].source == "bad.txt"


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_a_truncated_archive_is_unreadable(tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole"
    members = {f"{number}.bin": os.urandom(5000) for number in range(5)}
    zipped(whole, members) if name == "a.zip" else tarred(whole, members, "w:gz" if name.endswith("gz") else "w")
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[:12_000])
    with pytest.raises(UnreadableSource, match=f"{name} cannot be unpacked .*get it again"):
        unpack(path, tmp_path / "out")


def test_a_packed_single_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt.gz").write_bytes(gzip.compress(b"some notes"))
    unpack(tmp_path / "notes.txt.gz", tmp_path / "out")
    assert files_below(tmp_path / "out") == {"notes.txt": b"some notes"}
    (tmp_path / "a.tgz").write_bytes(gzip.compress(b"some notes"))
    with pytest.raises(UnreadableSource, match=r"a.tgz is named as a tar archive but does not hold one"):
        unpack(tmp_path / "a.tgz", tmp_path / "out2")


ENCRYPTED_ZIP = bytes.fromhex(  # made by `zip -X -P leaf a.zip a.txt`; the standard library cannot write one
    "504b03040a0009000000c7bb755dda89499b180000000c00000005000000612e747874dcc4f6d3a8a2b203bf5d845a67ef482267d66181df5efb7d"
    "504b0708da89499b180000000c000000504b01021e030a0009000000c7bb755dda89499b180000000c00000005000000000000000100000"
    "0a48100000000612e747874504b05060000000001000100330000004b0000000000"
)


def test_an_encrypted_zip_asks_for_its_password(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(ENCRYPTED_ZIP)
    with pytest.raises(PasswordRequired, match=r"a.zip is encrypted; give its password"):
        unpack(path, tmp_path / "out")
    with pytest.raises(PasswordRequired, match=r"a.zip does not open with the password given"):
        unpack(path, tmp_path / "out", password="wrong")
    unpack(path, tmp_path / "out", password="leaf")
    assert files_below(tmp_path / "out") == {"a.txt": b"secret text\n"}


def test_aes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    entry = ENCRYPTED_ZIP.rindex(b"PK\x01\x02") + 10
    path.write_bytes(ENCRYPTED_ZIP[:entry] + b"\x63\x00" + ENCRYPTED_ZIP[entry + 2 :])
    with pytest.raises(UnsupportedSource, match=r"a.zip is encrypted with AES; unpack it yourself"):
        unpack(path, tmp_path / "out", password="leaf")
