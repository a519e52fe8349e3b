"""Commands on files: what is wrong with them, and boundary points written as TXT."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landplan.cli.app import (
    cli,
    format_option,
    today,
)
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    pass


@cli.command(short_help="看文件：坐标系、编码、列、问题 / look into files")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--crs", help="坐标系，如 EPSG:4526 / coordinate reference system")
@click.option("--encoding", help="文字编码，如 gbk / text encoding")
@click.option("--profile", help="映射文件 / mapping profile")
@click.option(
    "--faults", type=click.Path(path_type=Path), help="问题清单写到 .xlsx 或 .csv / write the list of faults"
)
@click.option(
    "--return",
    "back",
    type=click.Path(path_type=Path),
    help="退回资料的文件夹：标注的工作簿和图层 / the material back, marked",
)
@click.option(
    "--write-profile",
    "mapping",
    type=click.Path(path_type=Path),
    help="按识别结果写映射文件 .yaml / write a mapping profile",
)
@format_option("text", "json")
def inspect(
    files: tuple[Path, ...],
    crs: str | None,
    encoding: str | None,
    profile: str | None,
    faults: Path | None,
    back: Path | None,
    mapping: Path | None,
    form: str,
) -> None:
    """看一看文件：图层、坐标系、编码、识别的列和全部问题；可退回标注的资料 / look at files and list every fault."""
    from landplan.console import print_inspections
    from landplan.read import inspections_json
    from landplan.read.profile import load_profile
    from landplan.returns import list_faults, return_material, vet_files, write_faults, write_profile

    if mapping is not None and len(files) != 1:
        raise UsageError(
            Fault(
                en="a mapping profile is written for one file at a time.",
                zh="一次只能为一个文件写映射文件。",
                mend_en="name one file with --write-profile",
                mend_zh="用 --write-profile 时只写一个文件",
            )
        )
    known = load_profile(profile) if profile else None
    materials = vet_files(list(files), crs=crs, encoding=encoding, profile=known)
    inspections = [material.inspection for material in materials]
    if form == "json":
        click.echo(inspections_json(inspections))
    else:
        print_inspections(inspections)
    written = [write_faults(list_faults(materials), faults)] if faults else []
    written += return_material(materials, back) if back else []
    written += [write_profile(materials[0], mapping, base=known)] if mapping else []
    for file in written:
        click.echo(f"已写 {file}", err=form == "json")
    if all(inspection.outcome == "rejected" for inspection in inspections):
        sys.exit(3)


@cli.command("export-txt", short_help="写界址点坐标交换文件 / boundary points as TXT")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="写到文件 .txt / file to write"
)
@click.option(
    "--edition",
    default="standard",
    show_default=True,
    help="版式 standard short long plain utf8 open points / edition",
)
@click.option("--columns", type=int, help="地块行列数 8-14，含 @；0 只写坐标 / columns of a plot's line")
@click.option("--prefix/--no-prefix", default=None, help="坐标带不带带号 / zone in the eastings")
@click.option("--decimals", type=int, help="坐标小数位数 / digits of coordinates")
@click.option("--text-encoding", help="写出的编码，如 gbk utf-8 / encoding to write")
@click.option("--zone-width", type=int, help="几度分带 3 或 6 / degrees of a zone")
@click.option("--made-by", default="", help="数据产生单位 / who makes it")
@click.option("--parcel", "parcels", multiple=True, help="只写这些编号，可重复 / only these parcels")
@click.option("--crs", help="来源坐标系 / coordinate reference system of the source")
@click.option("--profile", help="来源映射文件 / mapping profile of the source")
def export_txt(
    file: Path,
    output: Path,
    edition: str,
    columns: int | None,
    prefix: bool | None,
    decimals: int | None,
    text_encoding: str | None,
    zone_width: int | None,
    made_by: str,
    parcels: tuple[str, ...],
    crs: str | None,
    profile: str | None,
) -> None:
    """把地块文件写成勘测定界界址点坐标交换格式，写完读回核对 / parcels to boundary points, read back before it counts."""
    from landplan.read import read_table
    from landplan.read.points import find_edition, write_points

    form = find_edition(
        edition,
        columns=columns,
        has_prefix=prefix,
        decimals=decimals,
        encoding=text_encoding,
        zone_width=zone_width,
    )
    read = read_table(file, "parcels", crs=crs, profile=profile).require()
    if "geometry" not in read.frame:
        raise UsageError(Fault(en="the file draws nothing.", zh="文件里没有图形。", at=str(file)))
    if lacking := [pid for pid in parcels if pid not in read.frame.index]:
        raise UsageError(
            Fault(
                en=f"there is no parcel {lacking}.",
                zh=f"没有编号为“{'、'.join(lacking)}”的地块。",
                at=str(file),
            )
        )
    chosen = read.frame.loc[list(parcels)] if parcels else read.frame
    write_points(chosen, output, form, made_by=made_by, made_on=today())
    if read.source.rows_rejected:
        click.echo(
            f"来源中有 {read.source.rows_rejected} 条不可用，未写出；运行 landplan inspect 查看 / some were unusable",
            err=True,
        )
    click.echo(f"已写 {output}，{len(chosen)} 宗")
