// How things look, and how they are drawn: on the screen's canvas and on paper (SVG) by the same functions.

var NS = "http://www.w3.org/2000/svg";
// Told apart by lightness and by hatch as well as by hue, so that they survive a copier and colour blindness.
var VERDICT = {
  ready: { fill: "#2a9d7f", opacity: 0.62, hatch: "", ink: "#0d5c47" },
  pending: { fill: "#f3cf5b", opacity: 0.7, hatch: "dots", ink: "#8a6500" },
  not_ready: { fill: "#c4573d", opacity: 0.62, hatch: "cross", ink: "#5e1406" },
  "": { fill: "#b7bec7", opacity: 0.5, hatch: "", ink: "#4b5563" }
};
var SUPPLY = {
  stock: { weight: 2.2, dash: "" },
  stock_held: { weight: 1.1, dash: "" },
  incremental: { weight: 2.2, dash: "7 4" },
  incremental_held: { weight: 1.1, dash: "4 3" },
  supplied: { weight: 1, dash: "1 3", pale: true },
  unknown: { weight: 1.1, dash: "8 3 1 3" },
  "": { weight: 1, dash: "" }
};
// Classes of a list take looks by their place: lightness and hatch change together, so that no two meet in black and white.
var FAMILIES = {
  kinds: [
    { fill: "#2a8a6a", hatch: "", ink: "#0d4a38" }, { fill: "#f6d76b", hatch: "dots", ink: "#8a6500" },
    { fill: "#6c9fd4", hatch: "rising", ink: "#1d4674" }, { fill: "#b5482f", hatch: "cross", ink: "#4d1004" },
    { fill: "#e2d0ef", hatch: "level", ink: "#6b4a9c" }, { fill: "#43356f", hatch: "falling", ink: "#231a44", mark: "#fff" },
    { fill: "#eda9c0", hatch: "upright", ink: "#8d2853" }, { fill: "#7d5a34", hatch: "level", ink: "#40290f", mark: "#fff" }
  ],
  steps: [
    { fill: "#fdf3c4", hatch: "dots", ink: "#8a7b2c" }, { fill: "#d3e8a0", hatch: "level", ink: "#587a1c" },
    { fill: "#93cf9f", hatch: "rising", ink: "#1f6b39" }, { fill: "#4ea6b4", hatch: "upright", ink: "#0f4f5b" },
    { fill: "#2f6fab", hatch: "falling", ink: "#12365c", mark: "#fff" }, { fill: "#1a2f6b", hatch: "", ink: "#0a1536" },
    { fill: "#3a1048", hatch: "cross", ink: "#1d0425", mark: "#fff" }, { fill: "#101010", hatch: "rising", ink: "#000", mark: "#fff" }
  ],
  signal: [VERDICT.ready, VERDICT.not_ready, VERDICT.pending, { fill: "#8fa3ba", hatch: "level", ink: "#2f4157" }]
};
var UNKNOWN = { fill: "#dcdfe4", opacity: 0.75, hatch: "cross", ink: "#7a8491" };
var REST = { fill: "#eceef1", opacity: 0.7, hatch: "", ink: "#b1b9c3", hatchOpacity: 0, weight: 0.7, dash: "" };
var chosen = 0;
var LAYERS = [
  { ink: "#7d6a12", hatch: "level" }, { ink: "#9c2f77", hatch: "falling" }, { ink: "#2c6aa8", hatch: "upright" },
  { ink: "#4c7a34", hatch: "rising" }, { ink: "#6b4a9c", hatch: "dots" }, { ink: "#8b4a24", hatch: "level" }
];
var ZONE = { ink: "#23303f", weight: 2.4, dash: "12 4 2 4" };
var OVERLAP = { fill: "#d4006a", ink: "#8d0046" };
var STROKES = {
  level: ["M0 4H8"], upright: ["M4 0V8"], rising: ["M-2 2 2 -2M0 8 8 0M6 10 10 6"], falling: ["M-2 6 2 10M0 0 8 8M6 -2 10 2"],
  cross: ["M-2 2 2 -2M0 8 8 0M6 10 10 6", "M-2 6 2 10M0 0 8 8M6 -2 10 2"], dots: ["M3 4H5"]
};

function parcelStyle(verdict, supply) {
  var face = VERDICT[verdict] || VERDICT[""], edge = SUPPLY[supply] || SUPPLY[""];
  return {
    fill: face.fill, opacity: edge.pale ? face.opacity * 0.4 : face.opacity, hatch: face.hatch, ink: face.ink,
    hatchOpacity: edge.pale ? 0.35 : 0.6, weight: edge.weight, dash: edge.dash
  };
}

// A class of the list, from the theme that is chosen.
function classStyle(theme, number) {
  if (number < 0) { return REST; }
  var looks = FAMILIES[theme.family], at = theme.classes[number].look, look = at < 0 ? UNKNOWN : looks[at % looks.length];
  return {
    fill: look.fill, opacity: look.opacity || 0.78, hatch: look.hatch, ink: look.ink, mark: look.mark, hatchOpacity: look.mark ? 0.55 : 0.6,
    weight: 1.6, dash: ""
  };
}

// How a parcel looks and what it is called: by the list where the page shows one, else by its verdict.
function face(parcel, supply) {
  if (!data.list) { return parcelStyle(parcel.v, supply); }
  var style = classStyle(data.list.themes[chosen], parcel.c[chosen]);
  // A zone lies under its parcels: paler, so that they stand out.
  if (parcel.z) { style = L.extend({}, style, { opacity: style.opacity * 0.4, hatchOpacity: style.hatchOpacity * 0.5 }); }
  return style;
}

function layerStyle(layer, number) {
  var look = LAYERS[number % LAYERS.length];
  // A boundary to stay within would cover everything it is good for: only its line is drawn.
  return layer.within
    ? { fill: "", opacity: 0, hatch: "", ink: look.ink, hatchOpacity: 0, weight: 1.8, dash: "14 3 3 3 3 3" }
    : { fill: look.ink, opacity: 0.08, hatch: look.hatch, ink: look.ink, hatchOpacity: 0.38, weight: 0.7, dash: "" };
}

var zoneStyle = { fill: "", opacity: 0, hatch: "", ink: ZONE.ink, hatchOpacity: 0, weight: ZONE.weight, dash: ZONE.dash };
var overlapStyle = { fill: OVERLAP.fill, opacity: 0.5, hatch: "rising", ink: OVERLAP.ink, hatchOpacity: 0.8, weight: 1.4, dash: "" };
var pickedStyle = { fill: "", opacity: 0, hatch: "", ink: "#0b57a4", hatchOpacity: 0, weight: 4, dash: "" };

function leafletStyle(style) {
  return {
    stroke: true, color: style.ink, weight: style.weight, dashArray: style.dash || null, opacity: 1,
    fill: true, fillColor: style.fill || "#fff", fillOpacity: style.fill ? style.opacity : 0,
    hatch: style.hatch, hatchInk: style.mark || style.ink, hatchOpacity: style.hatchOpacity, lineJoin: "round", smoothFactor: 0.6
  };
}

// Rings travel as whole millionths of a degree, each vertex as the step from the one before.
function decode(shape) {
  return shape.map(function (polygon) {
    return polygon.map(function (steps) {
      var ring = [], x = 0, y = 0;
      for (var i = 0; i < steps.length; i += 2) {
        x += steps[i];
        y += steps[i + 1];
        ring.push([y / 1e6, x / 1e6]);
      }
      return ring;
    });
  });
}

var tiles = {};
function hatchTile(ctx, hatch, ink) {
  var key = hatch + ink;
  if (!tiles[key]) {
    var tile = document.createElement("canvas"), scale = 2;
    tile.width = tile.height = 8 * scale;
    var pen = tile.getContext("2d");
    pen.scale(scale, scale);
    pen.strokeStyle = ink;
    pen.lineWidth = hatch === "dots" ? 2 : 0.9;
    STROKES[hatch].forEach(function (path) { pen.stroke(new Path2D(path)); });
    tiles[key] = tile;
  }
  var pattern = ctx.createPattern(tiles[key], "repeat");
  pattern.setTransform(new DOMMatrix().scale(0.5));
  return pattern;
}

var HatchCanvas = L.Canvas.extend({
  _fillStroke: function (ctx, layer) {
    var options = layer.options;
    // A hatch cannot be seen in a shape of a few pixels, and ten thousand of them are slow.
    var bounds = layer._pxBounds, size = bounds ? bounds.getSize() : null;
    if (options.hatch && options.fill && !(size && size.x < 9 && size.y < 9)) {
      ctx.globalAlpha = options.fillOpacity;
      ctx.fillStyle = options.fillColor;
      ctx.fill("evenodd");
      ctx.globalAlpha = options.hatchOpacity;
      ctx.fillStyle = hatchTile(ctx, options.hatch, options.hatchInk);
      ctx.fill("evenodd");
      options = L.extend({}, options, { fill: false });
      L.Canvas.prototype._fillStroke.call(this, ctx, { options: options });
      return;
    }
    L.Canvas.prototype._fillStroke.call(this, ctx, layer);
  }
});

function element(name, attributes, parent) {
  var made = document.createElementNS(NS, name);
  Object.keys(attributes).forEach(function (key) { made.setAttribute(key, attributes[key]); });
  if (parent) { parent.appendChild(made); }
  return made;
}

// Paper: fills, hatches and lines as SVG, also used for the swatches of the legend.
function SvgPen(svg, scale) {
  this.svg = svg;
  this.scale = scale || 1;
  this.defs = element("defs", {}, svg);
  this.known = {};
}
SvgPen.prototype.hatch = function (style) {
  var id = "lp-hatch-" + SvgPen.count, ink = style.mark || style.ink, key = style.hatch + ink;
  if (!this.known[key]) {
    SvgPen.count += 1;
    this.known[key] = id;
    var pattern = element("pattern", { id: id, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "scale(" + this.scale + ")" }, this.defs);
    STROKES[style.hatch].forEach(function (path) {
      element("path", { d: path, fill: "none", stroke: ink, "stroke-width": style.hatch === "dots" ? 2 : 0.9 }, pattern);
    });
  }
  return "url(#" + this.known[key] + ")";
};
SvgPen.count = 0;
SvgPen.prototype.area = function (path, style) {
  if (style.fill) { element("path", { d: path, fill: style.fill, "fill-opacity": style.opacity }, this.svg); }
  if (style.hatch) { element("path", { d: path, fill: this.hatch(style), "fill-opacity": style.hatchOpacity }, this.svg); }
  var scale = this.scale;
  element("path", {
    d: path, fill: "none", stroke: style.ink, "stroke-width": style.weight * scale, "stroke-linejoin": "round",
    "stroke-dasharray": style.dash ? style.dash.split(" ").map(function (n) { return n * scale; }).join(" ") : "none"
  }, this.svg);
};
SvgPen.prototype.line = function (points, ink, weight) {
  element("path", { d: "M" + points.map(function (p) { return p[0].toFixed(1) + " " + p[1].toFixed(1); }).join("L"), fill: "none", stroke: ink, "stroke-width": weight * this.scale }, this.svg);
};
SvgPen.prototype.text = function (x, y, words, look) {
  var made = element("text", {
    x: x.toFixed(1), y: y.toFixed(1), "font-size": look.size * this.scale, "text-anchor": look.anchor || "middle", "dominant-baseline": "central",
    fill: look.ink, stroke: "#fff", "stroke-width": 3 * this.scale, "stroke-linejoin": "round", "paint-order": "stroke", "font-weight": look.bold ? 600 : 400
  }, this.svg);
  made.textContent = words;
};

function CanvasPen(ctx) {
  this.ctx = ctx;
  this.scale = 1;
}
CanvasPen.prototype.line = function (points, ink, weight) {
  this.ctx.beginPath();
  points.forEach(function (p, i) { this.ctx[i ? "lineTo" : "moveTo"](p[0], p[1]); }, this);
  this.ctx.strokeStyle = ink;
  this.ctx.lineWidth = weight;
  this.ctx.stroke();
};
CanvasPen.prototype.text = function (x, y, words, look) {
  var ctx = this.ctx;
  ctx.font = (look.bold ? "600 " : "") + look.size + 'px "Microsoft YaHei", SimHei, "PingFang SC", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif';
  ctx.textAlign = { middle: "center", start: "left", end: "right" }[look.anchor || "middle"];
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3;
  ctx.strokeStyle = "rgba(255,255,255,.9)";
  ctx.strokeText(words, x, y);
  ctx.fillStyle = look.ink;
  ctx.fillText(words, x, y);
};

function textWidth(words, size) {
  var wide = 0;
  for (var i = 0; i < words.length; i += 1) { wide += words.charCodeAt(i) > 0x2e7f ? 1 : 0.58; }
  return wide * size;
}

// The plane of the survey, by parabolas through the nodes of the mesh the page was given.
function planePoint(grid, easting, northing) {
  function near(value) { return Math.max(1, Math.min(grid.size - 2, Math.round(value))); }
  function weights(t) { return [t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2]; }
  var a = (easting - grid.e0) / grid.de, b = (northing - grid.n0) / grid.dn, i = near(a), j = near(b);
  var wa = weights(a - i), wb = weights(b - j), lon = 0, lat = 0;
  for (var r = 0; r < 3; r += 1) {
    for (var c = 0; c < 3; c += 1) {
      var at = (j + r - 1) * grid.size + i + c - 1, w = wa[c] * wb[r];
      lon += grid.lon[at] * w;
      lat += grid.lat[at] * w;
    }
  }
  return [lat, lon];
}

// Leaflet's own conversions round to whole pixels, which puts steps into long lines.
function placer(map) {
  return function (at) {
    var p = map.layerPointToContainerPoint(map.project(L.latLng(at)).subtract(map.getPixelOrigin()));
    return [p.x, p.y];
  };
}

// box: the window in pixels [left, top, right, bottom]; place: latitude and longitude to pixels.
// Lines lie under everything and figures over it: part is "lines" or "figures".
function drawGrid(pen, grid, place, box, part) {
  var far = grid.size - 1, e1 = grid.e0 + grid.de * far, n1 = grid.n0 + grid.dn * far;
  var a = place(planePoint(grid, grid.e0, grid.n0)), b = place(planePoint(grid, e1, grid.n0));
  var pixels = Math.hypot(b[0] - a[0], b[1] - a[1]) / (e1 - grid.e0);
  var step = [100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000].find(function (s) { return s * pixels >= 88 * pen.scale; });
  if (!step) { return; }
  var room = 44 * pen.scale;
  function inside(p) { return p[0] > box[0] - 60 && p[0] < box[2] + 60 && p[1] > box[1] - 60 && p[1] < box[3] + 60; }
  function crossing(line, axis, value) {
    for (var k = 1; k < line.length; k += 1) {
      var p = line[k - 1], q = line[k], d = q[axis] - p[axis];
      if (d && (p[axis] - value) * (q[axis] - value) <= 0) { return p[1 - axis] + (q[1 - axis] - p[1 - axis]) * (value - p[axis]) / d; }
    }
    return null;
  }
  function label(metres) { return step < 1000 ? (metres / 1000).toFixed(1) : String(metres / 1000); }
  function run(isEast) {
    var from = isEast ? grid.e0 : grid.n0, to = isEast ? e1 : n1, low = isEast ? grid.n0 : grid.e0, high = isEast ? n1 : e1;
    for (var value = Math.ceil(from / step) * step; value <= to; value += step) {
      var line = [];
      for (var k = 0; k <= 48; k += 1) {
        var along = low + (high - low) * k / 48;
        line.push(place(isEast ? planePoint(grid, value, along) : planePoint(grid, along, value)));
      }
      // Axis 1 is down the page: eastings are written where their line leaves the bottom, northings at the left.
      var edge = isEast ? box[3] - 9 * pen.scale : box[0] + 5 * pen.scale;
      var at = crossing(line, isEast ? 1 : 0, edge);
      if (at === null && !line.some(inside)) { continue; }
      if (part === "lines") { pen.line(line, "rgba(70,90,110,.26)", value % (5 * step) === 0 ? 1.1 : 0.7); }
      if (part === "lines" || at === null) { continue; }
      var words = label(value);
      if (isEast && at > box[0] + room && at < box[2] - room) { pen.text(at, edge, words, { size: 10, ink: "#4a5a6a" }); }
      if (!isEast && at > box[1] + 14 * pen.scale && at < box[3] - 24 * pen.scale) { pen.text(edge, at, words, { size: 10, ink: "#4a5a6a", anchor: "start" }); }
    }
  }
  run(true);
  run(false);
}

// items: {words, at: [lat, lon], wide: pixels it may take, look}; down: pixels below that place; later ones give way to earlier ones.
function drawLabels(pen, items, place, box) {
  var taken = [];
  items.forEach(function (item) {
    var p = place(item.at), s = pen.scale, w = textWidth(item.words, item.look.size) * s, h = item.look.size * 1.25 * s;
    if (p[0] < box[0] || p[0] > box[2] || p[1] < box[1] || p[1] > box[3]) { return; }
    p[1] += (item.down || 0) * s;
    p[0] = Math.max(box[0] + w / 2 + 6 * s, Math.min(box[2] - w / 2 - 6 * s, p[0]));
    var mine = [p[0] - w / 2, p[1] - h / 2, p[0] + w / 2, p[1] + h / 2];
    if (taken.some(function (o) { return mine[0] < o[2] && mine[2] > o[0] && mine[1] < o[3] && mine[3] > o[1]; })) { return; }
    taken.push(mine);
    pen.text(p[0], p[1], item.words, item.look);
  });
}

// A sheet of canvas over the window, redrawn as the map moves; used for the grid and for lettering.
var Sheet = L.Layer.extend({
  initialize: function (pane, draw) {
    this.paneName = pane;
    this.draw = draw;
  },
  onAdd: function (map) {
    this.canvas = L.DomUtil.create("canvas", "leaflet-zoom-hide", map.getPane(this.paneName));
    map.on("move zoomend resize viewreset", this.later, this);
    this.redraw();
  },
  onRemove: function (map) {
    map.off("move zoomend resize viewreset", this.later, this);
    this.canvas.remove();
  },
  later: function () {
    L.Util.cancelAnimFrame(this.frame);
    this.frame = L.Util.requestAnimFrame(this.redraw, this);
  },
  redraw: function () {
    var map = this._map, dense = window.devicePixelRatio || 1;
    if (!map) { return; }
    var size = map.getSize();
    this.canvas.width = size.x * dense;
    this.canvas.height = size.y * dense;
    this.canvas.style.width = size.x + "px";
    this.canvas.style.height = size.y + "px";
    L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
    var ctx = this.canvas.getContext("2d");
    ctx.scale(dense, dense);
    this.draw(new CanvasPen(ctx), [0, 0, size.x, size.y]);
  }
});
