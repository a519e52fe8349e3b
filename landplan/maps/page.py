"""
The page: a frame rendered by folium from constants, our furniture, and data as inert JSON, all in one file.

No value of a table ever meets folium or branca: both compile what they render as a template and set popups
through ``innerHTML``, so that a parcel's name could run as code. Data enters the finished frame as escaped
JSON and leaves it as text nodes only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from html import escape
from html.parser import HTMLParser
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import folium
from branca.element import Figure, Link
from xstatic.pkg import leaflet

from landplan.errors import Fault, InternalError, StoreError
from landplan.publish import publish

__all__ = ["MapPage", "asset_versions", "build_page"]

_SCRIPTS = ("paint.js", "panel.js", "print.js", "start.js")
_FURNITURE = files("landplan.maps")
# Attributes through which HTML can ask for another resource.
_LINKS = frozenset(
    (
        *("action", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon"),
        *("longdesc", "manifest", "ping", "poster", "profile", "src", "srcdoc", "srcset", "usemap"),
        "xlink:href",
    )
)
_FETCHERS = ("link", "base", "iframe", "frame", "object", "embed", "applet", "portal")
_REACHES = re.compile(
    r"\b(?:fetch|importScripts|XMLHttpRequest|WebSocket|EventSource|sendBeacon|RTCPeerConnection)\b|\bimport\s*\(|\beval\s*\("
)


class _Frame(Figure):
    """A figure without links to other hosts; Leaflet comes from the installed package instead."""

    def pieces(self) -> tuple[str, str, str]:
        """Render and return head, body and script, with the random element ids numbered."""
        for child in self._children.values():
            child.render()
        for name, child in list(self.header._children.items()):
            # jQuery, Bootstrap and the icon fonts serve folium's own popups and markers, which are not used.
            if isinstance(child, Link) or name == "meta_http":
                del self.header._children[name]
        parts = [self.header.render(), self.html.render(), self.script.render()]
        ids = dict.fromkeys(re.findall(r"[0-9a-f]{32}", "".join(parts)))
        for number, random_id in enumerate(ids, start=1):
            parts = [part.replace(random_id, str(number)) for part in parts]
        return parts[0], parts[1], parts[2]


@cache
def _frame() -> tuple[str, str, str]:
    frame = _Frame()
    folium.Map(
        location=[35.0, 105.0],
        zoom_start=4,
        tiles=None,
        zoom_control=False,
        prefer_canvas=True,
        attribution_control=False,
        zoom_snap=0.25,
        max_zoom=21,
        font_size="12px",
    ).add_to(frame)
    return frame.pieces()


def asset_versions() -> dict[str, str]:
    """
    Name what a page is built with, as it is installed here.

    Returns
    -------
    dict of str to str
        Versions by name; a name is left out where its files are missing.
    """
    present = all((Path(leaflet.BASE_DIR) / name).is_file() for name in ("leaflet.js", "leaflet.css"))
    return {"folium": version("folium")} | ({"Leaflet": str(leaflet.VERSION)} if present else {})


@cache
def _leaflet() -> tuple[str, str]:
    folder = Path(leaflet.BASE_DIR)
    style = (folder / "leaflet.css").read_text(encoding="utf-8")
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.S)

    def inline(match: re.Match[str]) -> str:
        name = match.group(1).strip("'\"")
        if name.startswith("#"):
            return match.group(0)
        return f"url(data:image/png;base64,{base64.b64encode((folder / name).read_bytes()).decode('ascii')})"

    script = (folder / "leaflet.js").read_text(encoding="utf-8")
    # The map beside the script is a file of its own and would be asked for by a browser's tools.
    script = re.sub(r"\n?//# sourceMappingURL=\S+", "", script)
    return re.sub(r"url\(([^)]*)\)", inline, style), script.strip()


@cache
def _furniture() -> tuple[str, str, str]:
    style = _FURNITURE.joinpath("page.css").read_text(encoding="utf-8")
    code = "\n".join(_FURNITURE.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    body = _FURNITURE.joinpath("page.html").read_text(encoding="utf-8")
    return style, f'(function () {{\n"use strict";\n{code}\n}})();', body


def _inert(data: dict[str, Any]) -> str:
    """JSON that cannot end its element, start another, or break a line of script."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match.group()):04x}", text)


def _script(code: str) -> tuple[str, str]:
    if re.search(r"</script|<!--", code, flags=re.I):
        raise InternalError(Fault(en="a script holds markup.", zh="内置脚本含有标记，无法内嵌。"))
    code = code.replace("\r\n", "\n")
    digest = base64.b64encode(hashlib.sha256(code.encode("utf-8")).digest()).decode("ascii")
    return f"<script>{code}</script>", f"'sha256-{digest}'"


def build_page(data: dict[str, Any]) -> MapPage:
    """
    Put frame, furniture and data together.

    Parameters
    ----------
    data : dict
        What the page shows, JSON types only; already cut to its audience.

    Returns
    -------
    MapPage
        The same bytes for the same data.

    Raises
    ------
    InternalError
        If the page would touch the network.
    """
    head, body, script = _frame()
    leaflet_style, leaflet_script = _leaflet()
    style, furniture, skeleton = _furniture()
    hashes: list[str] = []

    def sealed(match: re.Match[str]) -> str:
        text, digest = _script(match.group(1))
        hashes.append(digest)
        return text

    head = re.sub(r"<script>(.*?)</script>", sealed, head, flags=re.S)
    scripts = []
    for code in (leaflet_script, script.strip(), furniture):
        text, digest = _script(code)
        scripts.append(text)
        hashes.append(digest)
    policy = (
        f"default-src 'none'; script-src {' '.join(hashes)}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    before, after = skeleton.split("<!-- map -->")
    html = "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="zh-CN">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            "<title>地块一张图</title>",
            head.strip(),
            f"<style>{leaflet_style}</style>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            before.strip(),
            body.strip(),
            after.strip(),
            f'<script type="application/json" id="landplan-data">{_inert(data)}</script>',
            *scripts,
            "</body>",
            "</html>",
            "",
        ]
    )
    page = MapPage(html)
    page.check_offline()
    return page


class _Reader(HTMLParser):
    """Gathers every way out of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes of an element."""
        given = dict(attrs)
        if tag in _FETCHERS:
            self.found.append(f"<{tag}>")
        if tag == "meta" and (given.get("http-equiv") or "").lower() == "refresh":
            self.found.append("<meta refresh>")
        for name, value in attrs:
            target = (value or "").strip()
            if name in _LINKS and not target.startswith(("data:", "#")):
                self.found.append(f"{name}={target[:80]}")
            if name == "style":
                self._look_at_style(target)
        self._inside = ""
        if tag == "style":
            self._inside = "style"
        elif tag == "script" and given.get("type") != "application/json":
            self._inside = "script"

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Look at the text of styles and scripts."""
        if self._inside == "style":
            self._look_at_style(data)
        elif self._inside == "script":
            self.found += _REACHES.findall(data)

    def _look_at_style(self, text: str) -> None:
        for target in re.findall(r"url\(\s*['\"]?([^)]*)", text, flags=re.I):
            if not target.startswith(("data:", "#")):
                self.found.append(f"url({target[:80]})")
        plain = re.sub(r"url\([^)]*\)", "", text, flags=re.I)
        self.found += re.findall(r"@import|//|image-set\(", plain, flags=re.I)


@dataclass(frozen=True, repr=False)
class MapPage:
    """
    A map in one file that needs no network.

    Parameters
    ----------
    html : str
        The whole page.
    """

    html: str

    def __repr__(self) -> str:
        """Say what it is; the page itself is too long to print."""
        return f"MapPage({len(self.html.encode('utf-8')) / 1000:.0f} kB)"

    def _repr_html_(self) -> str:
        """Show the page in a notebook, walled off from it."""
        return (
            '<iframe sandbox="allow-scripts allow-modals" style="width:100%;height:640px;border:0"'
            f' srcdoc="{escape(self.html)}"></iframe>'
        )

    def check_offline(self) -> None:
        """
        Look for anything that would ask another host or file.

        Raises
        ------
        InternalError
            Naming what was found: a source, a link, a style or a script that reaches out.
        """
        reader = _Reader()
        reader.feed(self.html)
        reader.close()
        if reader.found:
            found = "; ".join(dict.fromkeys(reader.found))
            raise InternalError(
                Fault(
                    en=f"the page would touch the network: {found}",
                    zh=f"页面会访问网络，不予保存：{found}",
                )
            )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """
        Write the page; a reader finds the old file or the whole new one, never a part.

        Parameters
        ----------
        path : str or path
            Where to; missing folders are made.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InternalError
            If the page would touch the network; nothing is written.
        StoreError
            If it cannot be written, or does not read back the same.
        """
        self.check_offline()
        content = self.html.encode("utf-8")

        def verify(written: Path) -> None:
            if written.read_bytes() != content:
                raise StoreError(
                    Fault(
                        en="the map does not read back as it was written.",
                        zh="地图写入后读回不一致，原文件未改动。",
                        at=str(path),
                        mend_en="check the disk",
                        mend_zh="检查磁盘。",
                    )
                )

        return publish(Path(path), lambda new: _write(new, content), verify)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
