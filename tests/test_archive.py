"""Archives: what a zip of a bureau holds, under which names, and what is not unpacked."""

from __future__ import annotations

import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from sources import found, parcels, write

from landplan.read import inspect_files, read_source, read_table
from landplan.read.archive import list_members, unpacked
from landplan.read.door import open_door

SET = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def packed(path: Path, *entries: tuple[str, Path | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content if isinstance(content, bytes) else content.read_bytes())
    return path


def shapefile(folder: Path, name: str = "地块", n: int = 3) -> list[tuple[str, Path]]:
    folder.mkdir(exist_ok=True)
    path = write(parcels(n), folder / "a.shp")
    return [(f"{name}{suffix}", path.with_suffix(suffix)) for suffix in SET]


def in_gbk(path: Path) -> Path:
    """Turn the names of an archive into GBK without a mark, as WinRAR and Windows write them."""
    body = path.read_bytes()
    for name in zipfile.ZipFile(path).namelist():
        old, new = name.encode("utf-8"), name.encode("gbk")
        for start, length_at, flag_at, name_at in ((b"PK\x03\x04", 26, 6, 30), (b"PK\x01\x02", 28, 8, 46)):
            at = 0
            while (at := body.find(start, at)) >= 0:
                if body[at + name_at : at + name_at + len(old)] == old:
                    head = bytearray(body[at : at + name_at])
                    head[length_at : length_at + 2] = len(new).to_bytes(2, "little")
                    head[flag_at + 1] &= ~0x08
                    body = body[:at] + bytes(head) + new + body[at + name_at + len(old) :]
                at += 4
    # Places have moved; the reader of the directory finds them again from the end.
    return _relocated(path, body)


def _relocated(path: Path, body: bytes) -> Path:
    body = bytearray(body)
    offsets, at = [], 0
    while (at := body.find(b"PK\x03\x04", at)) >= 0:
        offsets.append(at)
        at += 4
    at = first = body.find(b"PK\x01\x02")
    for offset in offsets:
        body[at + 42 : at + 46] = offset.to_bytes(4, "little")
        at = body.find(b"PK\x01\x02", at + 4)
    end = body.rfind(b"PK\x05\x06")
    body[end + 12 : end + 16] = (end - first).to_bytes(4, "little")
    body[end + 16 : end + 20] = first.to_bytes(4, "little")
    path.write_bytes(bytes(body))
    return path


def test_a_zipped_shapefile_is_read_like_the_shapefile(tmp_path):
    path = packed(tmp_path / "a.zip", *shapefile(tmp_path / "s"))
    raw = read_source(path)
    assert raw.frame["DKBH"].tolist() == ["001", "002", "003"]
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.UNPACKED", "地块.shp")]
    assert raw.source.path == str(path)
    assert raw.source.sha256 == open_door(path).sha256
    assert read_table(path, "parcels").frame.index.tolist() == ["001", "002", "003"]


def test_a_shapefile_in_a_folder_of_a_folder_is_found(tmp_path):
    raw = read_source(packed(tmp_path / "a.zip", *shapefile(tmp_path / "s", "成果/2024 年/地块；一")))
    assert len(raw.frame) == 3
    assert raw.issues[0].value == "成果/2024 年/地块；一.shp"


def test_names_in_gbk_without_a_mark_are_read_and_it_is_said(tmp_path):
    path = in_gbk(packed(tmp_path / "a.zip", *shapefile(tmp_path / "s", "界址/开发区地块")))
    assert not zipfile.ZipFile(path).infolist()[0].flag_bits & 0x800
    raw = read_source(path)
    assert len(raw.frame) == 3
    assert [(i.code, i.value) for i in raw.issues] == [
        ("ENC.GUESSED", "gb18030"),
        ("FILE.UNPACKED", "界址/开发区地块.shp"),
    ]


def test_a_character_of_gbk_that_ends_in_a_backslash_is_one_character(tmp_path):
    # 乗 is 81 5C: its second byte is a path separator to whoever reads bytes.
    path = in_gbk(packed(tmp_path / "a.zip", *shapefile(tmp_path / "s", "乗地块")))
    assert list_members(open_door(path)) == ["乗地块.shp"]
    assert len(read_source(path).frame) == 3


def test_suffixes_in_capitals_and_what_mac_and_windows_leave_behind_do_no_harm(tmp_path):
    entries = [(name.upper(), file) for name, file in shapefile(tmp_path / "s", "dk")]
    rest = [("__MACOSX/._DK.SHP", b"x"), ("Thumbs.db", b"x"), (".DS_Store", b"x"), ("~$a.xlsx", b"x")]
    assert len(read_source(packed(tmp_path / "a.zip", *entries, *rest)).frame) == 3


def test_a_file_geodatabase_inside_a_zip_is_read(tmp_path, shared_data):
    with zipfile.ZipFile(shared_data / "gdb" / "testopenfilegdb.gdb.zip") as archive:
        entries = [(f"数据/{i.filename}", archive.read(i)) for i in archive.infolist() if not i.is_dir()]
    path = packed(tmp_path / "成果.zip", *entries)
    assert "FILE.AMBIGUOUS" in found(read_source(path))
    raw = read_source(path, layer="polygon", crs="EPSG:4326")
    assert raw.source.rows_in > 0
    assert len(inspect_files([path])[0].layers) == 37


def test_several_sources_are_listed_and_one_can_be_named(tmp_path):
    path = packed(
        tmp_path / "a.zip",
        *shapefile(tmp_path / "s", "南区/地块"),
        *shapefile(tmp_path / "t", "北区/地块二", 2),
    )
    raw = read_source(path)
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.AMBIGUOUS", "北区/地块二.shp、南区/地块.shp")]
    assert raw.frame.empty
    assert len(read_source(path, layer="北区/地块二.shp").frame) == 2
    assert len(read_source(path, layer="地块").frame) == 3


def test_a_note_beside_the_drawing_is_no_second_drawing(tmp_path):
    note = ("说明.txt", "2024 年勘测".encode())
    assert len(read_source(packed(tmp_path / "a.zip", *shapefile(tmp_path / "s"), note)).frame) == 3


def test_an_archive_inside_an_archive_is_refused_under_whichever_name(tmp_path):
    inner = packed(tmp_path / "i.zip", *shapefile(tmp_path / "s")).read_bytes()
    for name in ("内层.zip", "内层.kmz", "内层.dat"):
        raw = read_source(packed(tmp_path / "a.zip", *shapefile(tmp_path / "s"), (name, inner)))
        assert [(i.code, i.value) for i in raw.issues] == [("FILE.NESTED", name)]
        assert raw.frame.empty


def test_an_archive_without_a_source_says_what_it_holds(tmp_path):
    raw = read_source(packed(tmp_path / "a.zip", ("照片/1.jpg", b"x"), ("a.dbf", b"x")))
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.TYPE", "照片/1.jpg、a.dbf")]


def test_a_drawing_of_autocad_inside_says_what_to_do(tmp_path):
    assert "FILE.DWG" in found(read_source(packed(tmp_path / "a.zip", ("图.dwg", b"AC1032" + bytes(20)))))


@pytest.mark.parametrize(
    ("name", "code"),
    [("../a.shp", "SEC.PATH"), ("/a.shp", "SEC.PATH"), ("..\\a.shp", "SEC.PATH"), ("C:\\a.shp", "SEC.PATH")],
)
def test_names_that_leave_the_folder_are_refused(tmp_path, name, code):
    assert found(read_source(packed(tmp_path / "a.zip", (name, b"x")))) == [code]


def test_a_link_inside_is_refused(tmp_path):
    entry = zipfile.ZipInfo("a.shp")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/hostname")
    assert found(read_source(tmp_path / "a.zip")) == ["SEC.LINK"]


def test_a_changed_byte_is_found_by_its_sum(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, file in shapefile(tmp_path / "s"):
            archive.writestr(name, file.read_bytes())
    body = path.read_bytes()
    assert body.count(b"002") == 1
    path.write_bytes(body.replace(b"002", b"902"))
    raw = read_source(path)
    assert raw.frame.empty
    assert raw.issues[0].code.startswith("FILE.")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    assert found(read_source(packed(tmp_path / "a.zip", ("a.shp", bytes(50 * 1024**2))))) == ["LIMIT.SIZE"]


def test_what_was_unpacked_is_gone_when_the_read_is_over(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    door = open_door(packed(tmp_path / "a.zip", *shapefile(tmp_path / "s", "con")))
    with unpacked(door) as inside:
        assert inside.path is not None
        assert inside.path.name == "_con.shp"
        assert inside.path.is_file()
        assert stat.S_IMODE(inside.path.parent.stat().st_mode) == 0o700
    assert not inside.path.parent.exists()
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith("landplan-")] == []


def test_faults_of_the_source_inside_are_named_with_the_archive(tmp_path):
    entries = [entry for entry in shapefile(tmp_path / "s") if not entry[0].endswith(".prj")]
    raw = read_source(packed(tmp_path / "a.zip", *entries))
    fault = next(i for i in raw.issues if i.code == "CRS.MISSING")
    assert fault.source == f"{tmp_path / 'a.zip'}/地块.shp"
