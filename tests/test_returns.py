"""What goes back to the sender: the list of faults, the workbook and the drawing marked, a profile; the original untouched."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from click.testing import CliRunner
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.worksheet.datavalidation import DataValidation
from python_calamine import CalamineWorkbook
from sources import EAST, NORTH

from landplan.cli import cli
from landplan.errors import ConfigError, UsageError
from landplan.issues import Issue
from landplan.read import Inspection, read_table
from landplan.read.profile import load_profile
from landplan.returns import Material, list_faults, return_material, vet_files, write_faults, write_profile
from landplan.returns.drawing import POINTS, POLYGONS
from landplan.returns.plain import FILLS, write_plain

HOSTILE = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "+1+1",
    "-2+3",
    "{=A1}",
    '=HYPERLINK("http://example.invalid","x")',
]


def box(x: float, y: float, width: float, height: float | None = None) -> shapely.Polygon:
    return shapely.box(
        EAST + x, NORTH + y, EAST + x + width, NORTH + y + (width if height is None else height)
    )


def material(path: str, *issues: Issue) -> Material:
    return Material(Inspection(path, "flagged", issues=issues))


def ledger(path: Path, rows: list[list[object]], sheet: str = "标准地") -> Path:
    book = Workbook()
    book.active.title = sheet
    for row in [["示例台账"], ["地块编号", "投资强度（万元/亩）", "容积率（下限）", "备用"], *rows]:
        book.active.append(row)
    book.active.merge_cells("A1:D1")
    book.save(path)
    return path


def marked(tmp_path: Path, path: Path) -> openpyxl.Workbook:
    written = return_material(vet_files([path]), tmp_path / "out")
    return openpyxl.load_workbook(next(p for p in written if p.stem == f"{path.stem}_问题"))


def live(path: Path) -> list[str]:
    """What a spreadsheet program would compute or call in a workbook, by its bytes."""
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            body = archive.read(name).decode("utf-8", "replace")
            if name.startswith("xl/worksheets/") and ("<f>" in body or "<f " in body):
                found.append(f"{name}: formula")
            if "externalLink" in name or "vbaProject" in name or 'TargetMode="External"' in body:
                found.append(name)
    return found


def codes_in(path: Path) -> list[str]:
    """Codes of a written list, top down."""
    head, *rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    return [str(row[head.index("问题代码")]) for row in rows]


# --- the list ---------------------------------------------------------------------------------------------------


def test_the_list_has_a_row_for_every_fault_with_place_words_and_whose_move_it_is(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "'120", 1.2], ["A-2", "abc", 1.2]])
    faults = list_faults(vet_files([path]))
    errors = faults[faults["severity"] == "error"]
    assert errors[
        ["source", "layer", "row", "cell", "parcel_id", "code", "issue_value", "issue_limit", "suggestion"]
    ].values.tolist() == [
        [str(path), "标准地", 3, "B3", "A-1", "ATTR.NUMBER", "'120", "数值（万元/亩）", "120"],
        [str(path), "标准地", 4, "B4", "A-2", "ATTR.NUMBER", "abc", "数值（万元/亩）", ""],
    ]
    assert set(errors["party"]) == {"资料提供单位"}
    assert (errors["message_zh"].str.len() > 0).all()
    assert (errors["mend_en"].str.len() > 0).all()


def test_errors_stand_before_warnings_and_files_in_the_order_asked():
    found = list_faults(
        [
            material("b", Issue("ENC.GUESSED"), Issue("GEOM.NULL", row=2), Issue("GEOM.NULL", row=1)),
            material("a", Issue("GEOM.NULL")),
        ]
    )
    assert found["code"].tolist() == ["GEOM.NULL", "GEOM.NULL", "ENC.GUESSED", "GEOM.NULL"]
    assert found["row"].tolist()[:2] == [2, 1]


def test_the_workbook_of_the_list_reads_the_same_in_two_programs(tmp_path):
    issues = [
        Issue("ATTR.NUMBER", "a.xlsx", "表", k, f"B{k}", value=text)
        for k, text in enumerate([*HOSTILE, "_x0041_ <&>", " a "], 2)
    ]
    path = write_faults(list_faults([material("a.xlsx", *issues)]), tmp_path / "list.xlsx")
    by_calamine = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    sheet = openpyxl.load_workbook(path).active
    by_openpyxl = [
        ["" if cell is None else cell for cell in row] for row in sheet.iter_rows(values_only=True)
    ]
    at = by_calamine[0].index("原值")
    values = [*HOSTILE, "_x0041_ <&>", " a "]
    assert [row[at] for row in by_calamine[1:]] == values
    assert [row[at] for row in by_openpyxl[1:]] == values
    assert [cell.data_type for cell in sheet["I"][1:]] == ["s"] * len(values)
    assert live(path) == []


def test_rows_are_numbers_blanks_are_blank_and_severities_are_coloured(tmp_path):
    issues = (Issue("ATTR.NUMBER", row=7, value="x"), Issue("ENC.GUESSED"))
    sheet = openpyxl.load_workbook(
        write_faults(list_faults([material("a", *issues)]), tmp_path / "l.xlsx")
    ).active
    headers = {cell.value: cell.column for cell in sheet[1]}
    assert [sheet.cell(r, headers["行"]).value for r in (2, 3)] == [7, None]
    assert sheet.cell(2, headers["建议值"]).value is None
    assert [sheet.cell(r, headers["严重程度"]).fill.fgColor.rgb[2:] for r in (2, 3)] == [
        FILLS["错误"],
        FILLS["提示"],
    ]
    assert sheet.freeze_panes == "A2"


def test_a_list_without_faults_is_a_list_with_a_header(tmp_path):
    for name in ("l.xlsx", "l.csv"):
        assert write_faults(list_faults([]), tmp_path / name).is_file()
    assert (
        CalamineWorkbook.from_path(str(tmp_path / "l.xlsx")).get_sheet_by_index(0).to_python()[0][0]
        == "严重程度"
    )


def test_a_csv_opens_in_excel_and_runs_nothing(tmp_path):
    issues = [Issue("ATTR.NUMBER", value=text) for text in [*HOSTILE, "-12.5", "甲,乙"]]
    path = write_faults(list_faults([material("a", *issues)]), tmp_path / "l.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    values = pd.read_csv(path, dtype=str, keep_default_na=False)["原值"].tolist()
    guarded = [f"'{text}" if text[0] in "=+-@" else text for text in HOSTILE]
    assert values == [*guarded, "-12.5", "甲,乙"]


def test_a_list_longer_than_a_sheet_goes_on_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("landplan.returns.plain._MOST_ROWS", 2)
    write_plain(tmp_path / "l.xlsx", "表", pd.DataFrame({"甲": ["a", "b", "c"]}), widths=[10])
    book = CalamineWorkbook.from_path(str(tmp_path / "l.xlsx"))
    assert [book.get_sheet_by_name(name).to_python() for name in ("表", "表 2")] == [
        [["甲"], ["a"], ["b"]],
        [["甲"], ["c"]],
    ]


def test_the_same_list_gives_the_same_bytes(tmp_path):
    faults = list_faults([material("a", Issue("GEOM.NULL", row=1))])
    assert (
        write_faults(faults, tmp_path / "a.xlsx").read_bytes()
        == write_faults(faults, tmp_path / "b.xlsx").read_bytes()
    )


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError):
        write_faults(list_faults([]), tmp_path / "l.pdf")


# --- the second look --------------------------------------------------------------------------------------------


def drawing(path: Path) -> Path:
    """A-1 and A-2 share 10 x 100 m, A-3 is half a metre wide, A-4 a bow-tie, A-5 registered as 1 亩 where it is 1 公顷."""
    bow = shapely.Polygon(
        [(EAST + 900, NORTH), (EAST + 1000, NORTH + 100), (EAST + 1000, NORTH), (EAST + 900, NORTH + 100)]
    )
    frame = gpd.GeoDataFrame(
        {"地块编号": ["A-1", "A-2", "A-3", "A-4", "A-5"], "登记面积（亩）": ["15", "15", "0.1", "15", "1"]},
        geometry=[box(0, 0, 100), box(90, 0, 100), box(300, 0, 100, 0.5), bow, box(600, 0, 100)],
        crs=4547,
    )
    pyogrio.write_dataframe(frame, path)
    return path


def test_the_second_look_finds_what_no_single_record_can_tell(tmp_path):
    (found,) = vet_files([drawing(tmp_path / "a.gpkg")])
    told = {(i.code, i.parcel_id, i.row, i.field, i.suggestion) for i in found.inspection.issues}
    assert told == {
        ("GEOM.INVALID", "A-4", 4, "", ""),
        ("GEOM.OVERLAP", "A-1", 1, "", ""),
        ("GEOM.OVERLAP", "A-2", 2, "", ""),
        ("GEOM.SLIVER", "A-3", 3, "", ""),
        ("ATTR.AREA_WRONG", "A-3", 3, "登记面积（亩）", "50.00 m2（0.07 亩）"),
        ("ATTR.UNIT_SUSPECT", "A-5", 5, "登记面积（亩）", "单位：公顷"),
    }
    assert found.inspection.outcome == "flagged"


def test_a_drawing_beyond_the_measuring_zones_is_looked_at_without_measuring(tmp_path):
    frame = gpd.GeoDataFrame(
        {"地块编号": ["A", "B"]}, geometry=[shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 1)], crs=4326
    )
    pyogrio.write_dataframe(frame, tmp_path / "a.gpkg")
    assert vet_files([tmp_path / "a.gpkg"])[0].inspection.issues == ()


def test_values_outside_what_the_dictionary_allows_are_found_in_their_cell(tmp_path):
    book = Workbook()
    for row in (["地块编号", "绿地率（%）"], ["A-1", 15], ["A-2", 1500]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    (domain,) = [i for i in vet_files([tmp_path / "a.xlsx"])[0].inspection.issues if i.code == "ATTR.DOMAIN"]
    assert (domain.row, domain.cell, domain.field, domain.limit) == (3, "B3", "绿地率（%）", "0..1")


# --- the marked workbook ----------------------------------------------------------------------------------------


def test_faulty_cells_are_coloured_by_severity_and_say_what_to_do(tmp_path):
    book = marked(tmp_path, ledger(tmp_path / "a.xlsx", [["A-1", "'120", 1.2], ["A-2", "约150", 1.2]]))
    sheet = book["标准地"]
    bad, doubtful, good = sheet["B3"], sheet["B4"], sheet["C3"]
    assert (bad.fill.fgColor.rgb[2:], doubtful.fill.fgColor.rgb[2:]) == (FILLS["错误"], FILLS["警告"])
    assert good.fill.fill_type is None
    assert good.comment is None
    for part in (
        "[错误] ATTR.NUMBER",
        "不是数：'120",
        "Not a number",
        "处理：改成数值",
        "要求：数值（万元/亩）",
        "建议：120",
    ):
        assert part in bad.comment.text


def test_the_first_sheet_lists_every_fault_with_a_link_to_its_cell(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "abc", 1.2], [None, 150, 1.2]])
    book = marked(tmp_path, path)
    assert book.sheetnames == ["问题清单", "标准地"]
    sheet = book["问题清单"]
    count = len(vet_files([path])[0].inspection.issues)
    assert f"共 {count} 处" in sheet["A1"].value
    headers = {cell.value: cell.column for cell in sheet[4]}
    rows = {sheet.cell(r, headers["问题代码"]).value: r for r in range(5, 5 + count)}
    link = sheet.cell(rows["ATTR.NUMBER"], headers["单元格"])
    assert (link.value, link.hyperlink.location) == ("B3", "'标准地'!B3")
    # A fault of a row without a cell is shown where the number of the parcel should be.
    assert sheet.cell(rows["ATTR.ID_MISSING"], headers["单元格"]).value == "A4"
    assert book["标准地"]["A4"].fill.fgColor.rgb[2:] == FILLS["错误"]


def test_values_formats_comments_and_merges_of_the_sender_are_kept(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "abc", 1.2, "保留"]])
    book = openpyxl.load_workbook(path)
    sheet = book.active
    sheet["D3"].font = Font(bold=True, name="Arial")
    sheet["C3"].number_format = "0.000"
    sheet["B3"].comment = Comment("请核对", "李四")
    sheet.column_dimensions["A"].width = 31
    book.save(path)
    copy = marked(tmp_path, path)["标准地"]
    assert [copy[c].value for c in ("A3", "B3", "C3", "D3")] == ["A-1", "abc", 1.2, "保留"]
    assert (copy["D3"].font.b, copy["C3"].number_format, copy.column_dimensions["A"].width) == (
        True,
        "0.000",
        31,
    )
    assert [str(area) for area in copy.merged_cells.ranges] == ["A1:D1"]
    assert copy["B3"].comment.text.endswith("原批注：请核对")


def test_the_original_is_not_touched_and_its_name_not_taken(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    first = ledger(folder / "a.xlsx", [["A-1", "abc", 1.2]])
    second = ledger(folder / "a_问题.xlsx", [["A-1", "abc", 1.2]])
    before = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in (first, second)}
    written = return_material(vet_files([first, second]), folder)
    assert [p.name for p in written] == ["问题清单.xlsx", "a_问题_2.xlsx", "a_问题_问题.xlsx"]
    assert {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in (first, second)} == before


def test_nothing_in_the_copy_can_run_or_call_out(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [[f"A-{k}", text, 1.2, text] for k, text in enumerate(HOSTILE)])
    book = openpyxl.load_workbook(path)
    sheet = book.active
    sheet["D3"].hyperlink = "http://example.invalid/"
    sheet["C3"] = "=B3*2"
    rule = DataValidation(type="custom", formula1="=WEBSERVICE(A1)")
    words = DataValidation(type="list", formula1='"甲,乙"')
    rule.add("A3")
    words.add("D3")
    sheet.add_data_validation(rule)
    sheet.add_data_validation(words)
    book.defined_names["evil"] = openpyxl.workbook.defined_name.DefinedName(
        "evil", attr_text="cmd|'/C calc'!A0"
    )
    book.save(path)
    written = return_material(vet_files([path]), tmp_path / "out")
    assert all(live(file) == [] for file in written)
    copy = openpyxl.load_workbook(written[1])
    assert [copy["标准地"].cell(3 + k, 4).value for k in range(len(HOSTILE))] == HOSTILE
    assert {copy["标准地"].cell(3 + k, 4).data_type for k in range(len(HOSTILE))} == {"s"}
    assert copy["标准地"]["C3"].value == "=B3*2"
    assert copy["标准地"]["C3"].data_type == "s"
    assert [check.type for check in copy["标准地"].data_validations.dataValidation] == ["list"]
    assert "evil" not in copy.defined_names


def test_results_of_formulas_stay_as_values(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "abc", 1.2]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    body = parts[name].replace(b'<c r="C3" t="n"><v>1.2</v></c>', b'<c r="C3"><f>0.6*2</f><v>1.2</v></c>')
    assert body != parts[name]
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in {**parts, name: body}.items():
            archive.writestr(part, content)
    copy = marked(tmp_path, path)["标准地"]
    assert (copy["C3"].value, copy["C3"].data_type) == (1.2, "n")


def test_a_fault_of_a_whole_column_is_marked_at_its_header_and_one_in_a_merged_cell_at_its_corner(tmp_path):
    book = Workbook()
    sheet = book.active
    for row in (["地块编号", "投资强度", "容积率（下限）"], ["A-1", 100, "x"], ["A-2", 100, None]):
        sheet.append(row)
    sheet.merge_cells("C2:C3")
    book.save(tmp_path / "a.xlsx")
    copy = marked(tmp_path, tmp_path / "a.xlsx")["Sheet"]
    assert "ATTR.NO_UNIT" in copy["B1"].comment.text
    assert copy["C2"].comment.text.count("ATTR.NUMBER") == 2


def test_delimited_text_comes_back_as_a_workbook_with_the_same_cells(tmp_path):
    path = tmp_path / "事项.csv"
    path.write_bytes(
        "地块编号,事项,状态,日期\r\nA-1,净地,已完,2024-06-01\r\n001,净地,=1+1,2024年6月\r\n".encode("gb18030")
    )
    book = marked(tmp_path, path)
    sheet = book["事项"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["地块编号", "事项", "状态", "日期"],
        ["A-1", "净地", "已完", "2024-06-01"],
        ["001", "净地", "=1+1", "2024年6月"],
    ]
    assert "建议：已完成" in sheet["C2"].comment.text
    assert sheet["C3"].data_type == "s"
    assert "ATTR.DATE_PRECISION" in sheet["D3"].comment.text


# A sheet 标准地 of two columns and two records in the format of 1997, as LibreOffice writes it; nothing here can write one.
OLD_WORKBOOK = (
    "c-rk(U1(fI6h3qJ?{1PNH%U`#+OBKuPue6UvCu}eChfM``qR|58qt8=teYlwn+-{X<UzZ&7C~B23hF~a3V9F&e-IQ="
    "FnN(aDEiU|MIo&|SSq-RQVJ&5@0>e#bF*$ByR8K^=W^!f%*>sc^FLpIRXug?{rZcP2X~W?X6!HpJv0S0-Ht_MXxfZz"
    "+b-E&gnt!G>zZZghx`ISmU&3aHLUAJ_;12~O5+=$DD9#F)I&5z#lSLXjQ4*FSu?Z1c?*Tb{Y&4U{Wtq@A28qk+1IoE"
    "mjTOx6~HCHN??@}0;n2T1FQuu1=fj95ZwY?4!jju4_pCUsrQcPn(=nDR|D_Rw6&<$E&80B24NFY3<l_vC10?}MfMk="
    "5%2jYMK3M^yJ?VhBNk63qBje6$Qj~_&oBWc-G-K;v!GVeyF&d`%59>3fDVebX^no|=#aCYmU6X}mBi~mk~QB7rIjM|"
    "ooM+hVg!mpDn@ZiQ9t#-5B6h5J)LL!IwmvNI@ER<;aS%=+A?Qv*pk{SemD(Jd;oI>Xc(;+JwOi%B}Nf{1&y;^-k%&u"
    "4#iVbVsGR0haL6U_C%EF{8OR-zA(B`B%S_u^l|X65T6^J`PqE>hI!~s^UycWLk}0E2i)_Rv-C3tY&1hQ*H*?Sb#*2v"
    "bxp=Eb!{dj_0mkhJ|wnq5|(k99Y6V0sPFSfTDnfb))l@<Wdex~o>p{)o?wrk-7k9uv+UW~CAcpDFK(vtEZgK~IGjnx"
    "6(Wc^p*m1@P~=z3i6JIpiHR6tUWMxaNn0fD1mvfxrK_uJ*|Dn!LZm)^@|UrfhE2PC@4nZ<He%HF=2n#Po`kgTv=N(N"
    "Lw+YVCCobDtc>b(ZEyf{9Gx}C(N*9APvc_j8mi?o7Jk<pTY2TumiqRmgr1q@F|B15Q<FN5kxBnXS<xuv3o_RYfG33Z"
    "qLk}$>wjur?`b#W+S&FEp7uF7tT0YRA_N1wHL2wl!4s2*rrO<F(W4kK={dPJsh7<vebY**d`^cQjA7|^ljDX|mC#fH"
    "nvqAFmcZ|_(djAll<p}>1B_fxq36>*L&lg}&l_dJn=1MN3x1}3ye7Nb;dR#3O2bpJI@{u`%Qgr-oV5z1F9wy#I$pyn"
    "bFWcD9|oNmKy;7rj%bxWjk^KhFf{J4>HU#%Q>L;~b1#KV#aHI!V3uh(w&)Dq$2rf#{fVLUaJqLSx@$C%Ohxb7+I%qH"
    "lT4+OqJca5dwbiiC-+m1oJ)oon?%hD{FkOqzWLj=&OYnyS50bM|G_sboHulCs5HA-#JhE#*sU4ar}M=Toik>1-grtY"
    "<>hIjh+dN(Ob!f=jiz|dh#qgz|90VT?X7ESe;oZ@dD}Po{$dOlzPxaD(+ca%>$rc@wRd*1kIJKU>pa)>ewOEs59Lge"
    "BzEw4n;!4*<lfAy?Sq4lC5MLl(*tvP#Qfd7sg?dIxRLKaxqqGw6k5YPnFu@WF6=%;N04#xIgS*4{u*%0(0sCscvqE&"
    "Ts@Cr-=oNIJ8_0*O4{G&d4nxv%_`uYoSk(dA54}kKX$IgzW;91Z#BtEky}2C`yWNl$+F)AE$9`QFl7Y!Y8sUJp+WB-"
    "D1!fN3+HqD@5BxXIYUx3u(<QIm2m$xz_%9P{{nvjS2Y|6"
)


def test_an_old_workbook_comes_back_as_a_new_one(tmp_path):
    path = tmp_path / "a.xls"
    path.write_bytes(zlib.decompress(base64.b85decode(OLD_WORKBOOK)))
    sheet = marked(tmp_path, path)["标准地"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["地块编号", "容积率（下限）"],
        ["A-1", "abc"],
        ["A-2", 1.2],
    ]
    assert "ATTR.NUMBER" in sheet["B2"].comment.text


def test_a_workbook_with_a_sheet_of_that_name_keeps_it(tmp_path):
    book = marked(tmp_path, ledger(tmp_path / "a.xlsx", [["A-1", "abc", 1]], sheet="问题清单"))
    assert book.sheetnames == ["问题清单 2", "问题清单"]
    assert book["问题清单"]["B3"].value == "abc"


def test_comments_end_where_excel_would_choke_and_the_list_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("landplan.returns.marking._MOST_COMMENTS", 1)
    book = marked(tmp_path, ledger(tmp_path / "a.xlsx", [["A-1", "abc", 1], ["A-2", "abc", 1]]))
    sheet = book["标准地"]
    assert [sheet[c].comment is not None for c in ("B3", "B4")] == [True, False]
    assert sheet["B4"].fill.fgColor.rgb[2:] == FILLS["错误"]
    assert "只写了较重的 1 处" in book["问题清单"]["A2"].value


def test_a_file_that_cannot_be_opened_stands_in_the_list_alone(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"no workbook")
    written = return_material(vet_files([tmp_path / "a.xlsx", tmp_path / "none.gpkg"]), tmp_path / "out")
    assert [p.name for p in written] == ["问题清单.xlsx"]
    assert codes_in(written[0]) == ["FILE.TYPE", "FILE.MISSING"]


def test_a_file_without_faults_has_no_copy(tmp_path):
    pyogrio.write_dataframe(
        gpd.GeoDataFrame({"地块编号": ["A-1"]}, geometry=[box(0, 0, 100)], crs=4547), tmp_path / "a.gpkg"
    )
    written = return_material(vet_files([tmp_path / "a.gpkg"]), tmp_path / "out")
    assert [p.name for p in written] == ["问题清单.xlsx"]


# --- the faults drawn -------------------------------------------------------------------------------------------


def drawn(tmp_path: Path) -> tuple[Path, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    written = return_material(vet_files([drawing(tmp_path / "地块.gpkg")]), tmp_path / "out")
    assert [p.name for p in written] == ["问题清单.xlsx", "地块_问题.gpkg"]
    return (
        written[1],
        pyogrio.read_dataframe(written[1], layer=POINTS),
        pyogrio.read_dataframe(written[1], layer=POLYGONS),
    )


def test_points_lie_at_the_faulty_vertex_and_pieces_where_neighbours_overlap(tmp_path):
    _, points, polygons = drawn(tmp_path)
    assert (points.crs.to_epsg(), polygons.crs.to_epsg()) == (4547, 4547)
    assert points["code"].tolist() == polygons["code"].tolist()
    invalid = points[points["code"] == "GEOM.INVALID"].iloc[0]
    assert (invalid.geometry.x - EAST, invalid.geometry.y - NORTH) == (950.0, 50.0)
    pieces = polygons[polygons["code"] == "GEOM.OVERLAP"]
    assert [shape.equals(box(90, 0, 10, 100)) for shape in pieces.geometry] == [True, True]
    assert (points.geometry[pieces.index[0]].within(box(90, 0, 10, 100)), pieces.geometry.area.tolist()) == (
        True,
        [1000.0, 1000.0],
    )
    sliver = polygons[polygons["code"] == "GEOM.SLIVER"].iloc[0]
    assert (sliver.geometry.area, sliver["parcel_id"], sliver["limit"]) == (50.0, "A-3", "≥ 1 m")
    suspect = polygons[polygons["code"] == "ATTR.UNIT_SUSPECT"].iloc[0]
    assert (suspect.geometry.area, suspect["suggestion"], suspect["severity"]) == (
        10_000.0,
        "单位：公顷",
        "错误",
    )


def test_the_drawing_opens_styled_in_qgis_and_old_programs_open_it(tmp_path):
    path, _, _ = drawn(tmp_path)
    with closing(sqlite3.connect(path)) as base:
        styles = dict(base.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault = 1"))
        assert base.execute("PRAGMA user_version").fetchone()[0] <= 10300
    assert set(styles) == {POINTS, POLYGONS}
    for name, symbol in ((POINTS, "SimpleMarker"), (POLYGONS, "SimpleFill")):
        assert 'attr="severity"' in styles[name]
        assert all(f'value="{word}"' in styles[name] for word in FILLS)
        assert symbol in styles[name]


def test_records_without_a_place_stand_in_the_list_alone(tmp_path):
    frame = gpd.GeoDataFrame(
        {"地块编号": ["A", "B"], "登记面积（亩）": ["30", "x"]}, geometry=[None, box(0, 0, 10)], crs=4547
    )
    pyogrio.write_dataframe(frame, tmp_path / "a.gpkg")
    written = return_material(vet_files([tmp_path / "a.gpkg"]), tmp_path / "out")
    assert sorted(codes_in(written[0])) == ["ATTR.NUMBER", "GEOM.NULL"]
    assert pyogrio.read_dataframe(written[1], layer=POINTS)["code"].tolist() == ["ATTR.NUMBER"]


# --- the profile ------------------------------------------------------------------------------------------------


def test_reading_with_the_profile_gives_the_same_table(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "150", 1.2, "甲"], ["A-2", "—", 1.0, "乙"]])
    (found,) = vet_files([path])
    profile = write_profile(found, tmp_path / "p.yaml")
    again = read_table(path, "parcels", profile=profile)
    assert found.read is not None
    pd.testing.assert_frame_equal(again.frame, found.read.frame)
    loaded = load_profile(profile)
    assert loaded.columns == {
        "地块编号": "parcel_id",
        "投资强度（万元/亩）": "invest_intensity_cny_per_m2",
        "容积率（下限）": "far_min",
    }
    assert (loaded.units, loaded.sheet) == ({"投资强度（万元/亩）": "万元/亩"}, "标准地")
    assert '#   "备用": ?' in profile.read_text(encoding="utf-8")


def test_crs_encoding_and_layer_are_written_down(tmp_path):
    frame = gpd.GeoDataFrame(
        {"DKBH": ["甲-1", "甲-2"]}, geometry=[box(0, 0, 100), box(200, 0, 100)], crs=4547
    )
    pyogrio.write_dataframe(frame, tmp_path / "a.shp", encoding="gb18030")
    (tmp_path / "a.prj").unlink()
    (tmp_path / "a.cpg").unlink()
    (found,) = vet_files([tmp_path / "a.shp"], crs="EPSG:4547")
    loaded = load_profile(write_profile(found, tmp_path / "p.yaml"))
    assert (loaded.crs, loaded.encoding) == ("EPSG:4547", found.inspection.source.encoding)
    again = read_table(tmp_path / "a.shp", "parcels", profile=loaded)
    assert again.frame.index.tolist() == ["甲-1", "甲-2"]
    assert again.source.crs == "EPSG:4547"


def test_what_the_profile_it_was_read_with_says_of_records_is_carried_over(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "150", 1.2, "甲"], ["A-2", "不填", 1.0, "乙"]])
    (tmp_path / "base.yaml").write_text(
        "profile: base\nmissing: [不填]\nwhere: {备用: {one_of: [甲, 乙]}}\nindustry_edition: 2017\n",
        encoding="utf-8",
    )
    base = load_profile(tmp_path / "base.yaml")
    (found,) = vet_files([path], profile=base)
    loaded = load_profile(write_profile(found, tmp_path / "p.yaml", base=base))
    assert (loaded.missing, loaded.where, loaded.industry_edition) == (base.missing, base.where, "2017")


def test_words_among_numbers_are_asked_about_and_not_taken_for_nothing(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "另议", 1.2], ["A-2", "另议", 1.0], ["A-3", "abc", 1.0]])
    text = write_profile(vet_files([path])[0], tmp_path / "p.yaml").read_text(encoding="utf-8")
    assert '#   - "另议"    # 2 处' in text
    assert "abc" not in text
    assert load_profile(tmp_path / "p.yaml").missing == ()


@pytest.mark.parametrize(
    "header",
    ["投资强度\n（万元/亩）", "是否: [否]", "# 说明", "no", "a\r\nprofile: evil", "“引号”'\"", "1e3"],
)
def test_no_header_can_write_a_line_of_its_own(tmp_path, header):
    book = Workbook()
    for row in (["地块编号", "容积率（下限）", header], ["A-1", 1, "x"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    loaded = load_profile(write_profile(vet_files([tmp_path / "a.xlsx"])[0], tmp_path / "p.yaml"))
    assert loaded.profile == "p"
    assert set(loaded.columns.values()) <= {"parcel_id", "far_min", "invest_intensity_cny_per_m2"}


def test_a_profile_of_nothing_or_under_another_ending_is_refused(tmp_path):
    (nothing,) = vet_files([tmp_path / "none.xlsx"])
    with pytest.raises(UsageError):
        write_profile(nothing, tmp_path / "p.yaml")
    (found,) = vet_files([ledger(tmp_path / "a.xlsx", [["A-1", 1, 1]])])
    with pytest.raises(UsageError):
        write_profile(found, tmp_path / "p.toml")
    with pytest.raises(ConfigError):
        load_profile(tmp_path / "p.yaml")


# --- the command ------------------------------------------------------------------------------------------------


def test_inspect_writes_list_material_and_profile_and_says_where(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "abc", 1.2]])
    words = ["inspect", str(path), "--faults", str(tmp_path / "l.csv"), "--return", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, [*words, "--write-profile", str(tmp_path / "p.yaml")])
    assert result.exit_code == 0, result.output
    for name in ("l.csv", "out/问题清单.xlsx", "out/a_问题.xlsx", "p.yaml"):
        assert (tmp_path / name).is_file()
        assert f"已写 {tmp_path / name}" in result.output


def test_the_json_has_limit_suggestion_and_party(tmp_path):
    path = ledger(tmp_path / "a.xlsx", [["A-1", "'120", 1.2]])
    result = CliRunner().invoke(cli, ["inspect", str(path), "--format", "json"])
    found = {i["code"]: i for i in json.loads(result.output)["sources"][0]["issues"]}["ATTR.NUMBER"]
    assert (found["limit"], found["suggestion"], found["party"]) == ("数值（万元/亩）", "120", "资料提供单位")


def test_a_profile_is_written_for_one_file_at_a_time(tmp_path):
    paths = [str(ledger(tmp_path / name, [["A-1", 1, 1]])) for name in ("a.xlsx", "b.xlsx")]
    result = CliRunner().invoke(cli, ["inspect", *paths, "--write-profile", str(tmp_path / "p.yaml")])
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "p.yaml").exists()
