// Legend, search, list and detail. Text from the data is only ever set as textContent.

function byId(id) { return document.getElementById(id); }

function tag(name, className, words, parent) {
  var made = document.createElement(name);
  if (className) { made.className = className; }
  if (words !== undefined && words !== null) { made.textContent = words; }
  if (parent) { parent.appendChild(made); }
  return made;
}

function mu(number) { return number.toLocaleString("zh-CN", { minimumFractionDigits: 2, maximumFractionDigits: 2 }); }

function swatch(style, wide, high) {
  var svg = element("svg", { viewBox: "0 0 " + wide + " " + high, width: wide, height: high, "class": "lp-swatch" });
  new SvgPen(svg).area("M1.5 1.5H" + (wide - 1.5) + "V" + (high - 1.5) + "H1.5Z", style);
  return svg;
}

function lineSwatch(style) {
  var svg = element("svg", { viewBox: "0 0 26 14", width: 26, height: 14, "class": "lp-swatch" });
  element("path", { d: "M0 7H26", stroke: style.ink, "stroke-width": style.weight, "stroke-dasharray": style.dash || "none" }, svg);
  return svg;
}

function legendRow(parent, options) {
  var row = tag(options.toggle ? "label" : "div", "lp-row" + (options.toggle ? "" : " lp-key"), null, parent);
  if (options.toggle) {
    var box = tag("input", "", null, row);
    box.type = "checkbox";
    box.checked = !options.off;
    row.classList.toggle("lp-off", !!options.off);
    box.dataset.layer = options.key;
    box.addEventListener("change", function () {
      row.classList.toggle("lp-off", !box.checked);
      options.toggle(box.checked);
    });
  }
  row.dataset.key = options.key;
  row.appendChild(options.swatch);
  var none = options.count === 0 ? " lp-none" : "";
  tag("span", "lp-label" + none + (options.count === undefined ? " lp-wide" : ""), options.label, row);
  if (options.count !== undefined) {
    tag("span", "lp-count" + none, options.count + (options.unit || ""), row);
    tag("span", "lp-mu" + none, options.mu === undefined ? "" : mu(options.mu), row);
  }
  return row;
}

function legendHead(parent, words, columns) {
  var row = tag("div", "lp-row lp-top", null, parent);
  tag("h2", "", words, row);
  if (columns) {
    tag("span", "lp-count", columns[0], row);
    tag("span", "lp-mu", columns[1], row);
  }
  return row;
}

function sumRow(parent, words, sum, key, isTotal) {
  var row = tag("div", "lp-row lp-sum" + (isTotal ? "" : " lp-part"), null, parent);
  row.dataset.key = key;
  tag("span", "lp-label", words, row);
  tag("span", "lp-count", sum.count, row);
  tag("span", "lp-mu", sum.mu === undefined ? "" : mu(sum.mu), row);
}

// What a list shows, class by class; where it can be shown in several ways, which.
function listLegend(box, data, show, choose, isOn) {
  var list = data.list, theme = list.themes[chosen], units = [list.unit, list.unit === "宗" ? "亩" : ""];
  if (list.themes.length > 1) {
    var pick = tag("select", "", null, box);
    pick.id = "lp-theme";
    pick.setAttribute("aria-label", "着色依据");
    list.themes.forEach(function (each, number) {
      var option = tag("option", "", each.title, pick);
      option.value = number;
      option.selected = number === chosen;
    });
    pick.addEventListener("change", function () { choose(Number(pick.value)); });
  }
  var head = legendHead(box, theme.title, units);
  head.classList.toggle("lp-chosen", list.themes.length > 1);
  theme.classes.concat([theme.rest]).forEach(function (row, number) {
    var isRest = number === theme.classes.length, key = "class." + (isRest ? "rest" : number);
    if (isRest) {
      if (theme.classes.length > 1 && row.count) { sumRow(box, "小计", theme.sum, "sum", false); }
      if (!row.count) { return; }
    }
    legendRow(box, {
      key: key, swatch: swatch(classStyle(theme, isRest ? -1 : number), 26, 14), label: row.label, count: row.count, mu: row.mu,
      off: !isOn(key), toggle: function (on) { show(key, on); }
    });
  });
  sumRow(box, "合计", theme.total, "total", true);
  if (list.unit === "宗") { tag("p", "lp-small", "亩数逐宗四舍五入到 0.01 后相加。", box); }
  if (theme.unmeasured) { tag("p", "lp-small", "其中 " + theme.unmeasured + " 宗面积未知，不计入亩数。", box); }
  list.notes.forEach(function (words) { tag("p", "lp-small", words, box); });
}

function verdictLegend(box, data, isPlanner, units) {
  legendHead(box, isPlanner ? "结论（颜色与底纹）" : "可出让地块", units);
  data.verdicts.forEach(function (row) {
    // An investor's map holds what is on offer; a legend of what is not would tell of parcels that are not shown.
    if (isPlanner || row.count) {
      legendRow(box, { key: "verdict." + row.key, swatch: swatch(parcelStyle(row.key, isPlanner ? "" : "stock"), 40, 18), label: row.label, count: row.count, mu: row.mu });
    }
  });
  sumRow(box, "合计", data.total, "total", true);
}

function buildLegend(data, show, choose, isOn) {
  var box = byId("lp-legend"), isPlanner = data.view === "planner", units = ["宗", "亩"];
  // Figures stand in columns as wide as the longest of them, the total.
  box.textContent = "";
  box.style.setProperty("--lp-count", Math.max(28, 8 + 7 * String(data.total.count).length) + "px");
  box.style.setProperty("--lp-mu", Math.max(58, 4 + 7 * mu(data.total.mu).length) + "px");
  if (data.list) { listLegend(box, data, show, choose, isOn); } else { verdictLegend(box, data, isPlanner, units); }
  if (data.undrawn) { tag("p", "lp-small", "其中 " + data.undrawn + " 宗无图形，未上图，可查找。", box); }
  if (isPlanner && !data.list) {
    legendHead(box, "供应类别（线型）", units);
    data.supply.forEach(function (row) {
      var style = parcelStyle("", row.key);
      style = { ink: "#23303f", weight: style.weight, dash: style.dash, fill: "#fff", opacity: 1, hatch: "" };
      legendRow(box, { key: "supply." + row.key, swatch: swatch(style, 26, 14), label: row.label, count: row.count, mu: row.mu, off: !isOn("supply." + row.key), toggle: function (on) { show("supply." + row.key, on); } });
    });
  }
  var pieces = data.overlaps && data.overlaps.count ? data.overlaps : null;
  if (data.zones.length || data.layers.length || pieces || data.grid) { legendHead(box, "图层", pieces ? ["处", "亩"] : null); }
  if (pieces) {
    legendRow(box, { key: "overlaps", swatch: swatch(overlapStyle, 26, 14), label: "压占部分", count: pieces.count, mu: pieces.mu, off: !isOn("overlaps"), toggle: function (on) { show("overlaps", on); } });
  }
  data.layers.forEach(function (layer, number) {
    var style = layerStyle(layer, number), key = "layer." + number;
    legendRow(box, { key: key, swatch: layer.within ? lineSwatch(style) : swatch(style, 26, 14), label: layer.title, off: !isOn(key), toggle: function (on) { show(key, on); } });
  });
  if (data.zones.length) {
    legendRow(box, { key: "zones", swatch: lineSwatch(zoneStyle), label: "开发区范围", off: !isOn("zones"), toggle: function (on) { show("zones", on); } });
  }
  if (data.grid) {
    var line = { ink: "#7d8b99", weight: 1, dash: "" };
    legendRow(box, { key: "grid", swatch: lineSwatch(line), label: "公里网（千米）", off: !isOn("grid"), toggle: function (on) { show("grid", on); } });
    tag("p", "lp-small", "下边数字为东坐标 Y，左边为北坐标 X。", box);
  }
  tag("p", "lp-small", "", box).id = "lp-scale";
}

function fold(text) { return text.normalize("NFKC").toLowerCase().replace(/\s+/g, ""); }

function Panel(data, open, close) {
  this.data = data;
  this.open = open;
  this.close = close;
  this.labels = {};
  data.verdicts.concat(data.supply).forEach(function (row) { this.labels[row.key] = row.label; }, this);
  this.keys = data.parcels.map(function (parcel) { return fold(parcel.id) + "\n" + fold(parcel.name); });
  this.hits = [];
  this.active = 0;
  this.listen();
  this.search("");
}

Panel.prototype.listen = function () {
  var panel = this, query = byId("lp-query"), composing = false;
  query.addEventListener("compositionstart", function () { composing = true; });
  query.addEventListener("compositionend", function () {
    composing = false;
    panel.search(query.value);
  });
  query.addEventListener("input", function (event) {
    // Half a syllable of pinyin is not yet what the user means.
    if (!composing && !event.isComposing) { panel.search(query.value); }
  });
  query.addEventListener("keydown", function (event) {
    if (event.isComposing || event.keyCode === 229) { return; }
    if (event.key === "Enter" && panel.hits.length) { panel.open(panel.hits[panel.active], true); }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      panel.mark(panel.active + (event.key === "ArrowDown" ? 1 : -1));
    }
    if (event.key === "Escape") {
      query.value = "";
      panel.search("");
    }
  });
  document.addEventListener("keydown", function (event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) { return; }
    var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "checkbox";
    if (event.key === "/" && !typing) {
      event.preventDefault();
      query.focus();
      query.select();
    }
    if (event.key === "Escape" && !typing) { panel.close(); }
  });
};

Panel.prototype.search = function (words) {
  var sought = fold(words), list = byId("lp-list"), panel = this, shown = this.data.list;
  var unit = shown && shown.unit === "个" ? " 项" : " 宗";
  var listed = shown ? "列入 " + shown.listed + " " + shown.unit + "，" : "";
  this.hits = [];
  this.keys.forEach(function (key, number) { if (key.indexOf(sought) >= 0) { panel.hits.push(number); } });
  // An exact number comes first: A-2 must not open A-21.
  this.hits.sort(function (a, b) {
    var p = panel.data.parcels[a], q = panel.data.parcels[b];
    return (fold(q.id) === sought) - (fold(p.id) === sought) || panel.isListed(q) - panel.isListed(p) || a - b;
  });
  byId("lp-hits").textContent = !this.keys.length ? "没有地块" : sought ? (this.hits.length ? "找到 " + this.hits.length + unit + "，回车打开第一" + unit.trim() : "没有找到") : listed + "共 " + this.keys.length + unit;
  list.textContent = "";
  this.hits.slice(0, 100).forEach(function (number) { list.appendChild(panel.item(number)); });
  if (this.hits.length > 100) { tag("li", "lp-more", "另有 " + (this.hits.length - 100) + unit + "，请输入编号或名称缩小范围。", list); }
  this.active = 0;
  if (sought) {
    this.back();
    this.mark(0);
  }
};

// Whether the list says anything of it, in whichever way it is shown.
Panel.prototype.isListed = function (parcel) { return this.data.list && parcel.c.some(function (number) { return number >= 0; }) ? 1 : 0; };

// What stands beside the name of a parcel: its class on the list, or its verdict.
Panel.prototype.word = function (parcel) {
  if (!this.data.list) { return this.labels[parcel.v] || ""; }
  var theme = this.data.list.themes[chosen], known = theme.classes[parcel.c[chosen]];
  return known ? known.label : theme.rest.label;
};

Panel.prototype.item = function (number) {
  var parcel = this.data.parcels[number], row = document.createElement("li"), button = tag("button", "", null, row), panel = this;
  button.type = "button";
  var dot = swatch(face(parcel, ""), 12, 12);
  dot.setAttribute("class", "lp-dot");
  button.appendChild(dot);
  tag("b", "", parcel.id, button);
  tag("span", "lp-mu", parcel.mu === null ? "" : mu(parcel.mu) + " 亩", button);
  tag("small", "", [parcel.name, this.word(parcel), parcel.w, parcel.g ? "" : "无图形"].filter(Boolean).join(" · "), button);
  button.addEventListener("click", function () { panel.open(number, true); });
  return row;
};

Panel.prototype.mark = function (number) {
  var buttons = byId("lp-list").querySelectorAll("button");
  if (!buttons.length) { return; }
  this.active = Math.max(0, Math.min(buttons.length - 1, number));
  buttons.forEach(function (button, at) { button.classList.toggle("lp-active", at === this.active); }, this);
  buttons[this.active].scrollIntoView({ block: "nearest" });
};

Panel.prototype.back = function () {
  byId("lp-detail").hidden = true;
  byId("lp-list").hidden = false;
};

Panel.prototype.show = function (number) {
  var data = this.data, parcel = data.parcels[number], box = byId("lp-detail"), panel = this;
  box.textContent = "";
  var back = tag("button", "", "← 返回列表", box);
  back.id = "lp-back";
  back.type = "button";
  back.addEventListener("click", function () { panel.close(); });
  tag("h2", "", parcel.name || parcel.id, box);
  if (parcel.name) { tag("div", "lp-id", "编号 " + parcel.id, box); }
  var verdict = tag("div", "lp-verdict", null, box);
  verdict.appendChild(swatch(face(parcel, ""), 34, 18));
  tag("b", "", this.word(parcel) || (data.view === "planner" ? "未判定" : ""), verdict);
  if (data.list && this.labels[parcel.v]) { tag("span", "lp-class", this.labels[parcel.v], verdict); }
  if (this.labels[parcel.s]) { tag("span", "lp-class", this.labels[parcel.s], verdict); }
  var area = tag("p", "lp-area", null, box);
  if (parcel.z) {
    area.remove();
  } else if (parcel.mu === null) {
    area.textContent = "面积：未知";
  } else {
    tag("b", "", mu(parcel.mu) + " 亩", area);
    area.appendChild(document.createTextNode("　" + mu(parcel.m2) + " ㎡"));
  }
  if (!parcel.g) { tag("p", "lp-flag", "无图形：边界缺失或无法量算，未上图。", box); }
  if (parcel.b) { this.blocks(box, parcel); }
  if (parcel.r) { this.reasons(box, parcel); }
  if (parcel.q && parcel.q.length) {
    tag("h3", "", "数据问题（" + parcel.q.length + "）", box);
    var issues = tag("ol", "", null, box);
    parcel.q.forEach(function (issue) { tag("li", "lp-issue", issue.replace(/^数据问题：/, ""), issues); });
  }
  data.groups.forEach(function (title, group) {
    var facts = parcel.f.filter(function (fact) { return data.fields[fact[0]][0] === group; });
    if (!facts.length) { return; }
    tag("h3", "", title, box);
    var list = tag("dl", "", null, box);
    facts.forEach(function (fact) {
      tag("dt", "", data.fields[fact[0]][1], list);
      tag("dd", "", fact[1], list);
    });
  });
  byId("lp-list").hidden = true;
  box.hidden = false;
  box.scrollTop = 0;
};

// What the list says of the parcel, row by row.
Panel.prototype.blocks = function (box, parcel) {
  var list = this.data.list, titled = parcel.b.filter(function (block) { return block[0]; }).length;
  tag("h3", "", list.group + (titled > 1 ? "（" + titled + "）" : ""), box);
  parcel.b.forEach(function (block) {
    if (block[0]) { tag("h4", "", block[0], box); }
    var facts = tag("dl", "", null, box);
    block[1].forEach(function (fact) {
      tag("dt", "", list.labels[fact[0]], facts);
      tag("dd", "", fact[1], facts);
    });
  });
};

Panel.prototype.reasons = function (box, parcel) {
  var held = parcel.r.filter(function (reason) { return reason[0] !== "pass" && reason[0] !== "exempt"; });
  var met = parcel.r.filter(function (reason) { return reason[0] === "pass" || reason[0] === "exempt"; });
  var cited = this.data.cited;
  function fill(list, reasons) {
    reasons.forEach(function (reason) { tag("li", /^[a-z_]+$/.test(reason[0]) ? "lp-" + reason[0] : "", reason[1] + cited[reason[2]], list); });
  }
  tag("h3", "", "判定理由", box);
  if (held.length) { fill(tag("ol", "", null, box), held); } else if (met.length || parcel.passed) { tag("p", "lp-small", "没有不达标或待核事项。", box); }
  if (met.length) {
    var more = tag("details", "", null, box);
    tag("summary", "", "达标与不适用 " + met.length + " 项", more);
    fill(tag("ol", "", null, more), met);
  } else if (parcel.passed) {
    tag("p", "lp-small", "另有 " + parcel.passed + " 项达标，见工作簿。", box);
  }
  if (!parcel.r.length && !parcel.passed) { tag("p", "lp-small", "没有记录。", box); }
};
