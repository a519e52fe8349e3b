// Paper: the present view drawn again as lines, so that it is sharp at any size and legible without colour.

var PAPER = { wide: 218, high: 166 };

function svgPath(shape, place, box) {
  var path = "", seen = false;
  shape.forEach(function (polygon) {
    polygon.forEach(function (ring) {
      var low = [Infinity, Infinity], high = [-Infinity, -Infinity];
      var points = ring.map(function (at) {
        var p = place(at);
        for (var k = 0; k < 2; k += 1) {
          low[k] = Math.min(low[k], p[k]);
          high[k] = Math.max(high[k], p[k]);
        }
        return p[0].toFixed(1) + " " + p[1].toFixed(1);
      });
      seen = seen || (high[0] > box[0] && low[0] < box[2] && high[1] > box[1] && low[1] < box[3]);
      path += "M" + points.join("L") + "Z";
    });
  });
  return seen ? path : "";
}

function scaleBar(pen, box, metresPerPixel) {
  var most = (box[2] - box[0]) / 4 * metresPerPixel, length = 1;
  [1, 2, 5].forEach(function (first) {
    for (var value = first; value <= most; value *= 10) { length = Math.max(length, value); }
  });
  var s = pen.scale, x = box[0] + 36 * s, y = box[3] - 26 * s, wide = length / metresPerPixel;
  element("rect", { x: x - 8 * s, y: y - 18 * s, width: wide + 60 * s, height: 27 * s, fill: "#fff", "fill-opacity": 0.85 }, pen.svg);
  [0, 1].forEach(function (half) {
    element("rect", { x: x + half * wide / 2, y: y, width: wide / 2, height: 4 * s, fill: half ? "#fff" : "#000", stroke: "#000", "stroke-width": 0.8 * s }, pen.svg);
  });
  function words(metres) { return metres >= 1000 ? metres / 1000 + " km" : metres + " m"; }
  [[0, "0"], [0.5, words(length / 2)], [1, words(length)]].forEach(function (tick) {
    pen.text(x + tick[0] * wide, y - 8 * s, tick[1], { size: 10, ink: "#000" });
  });
}

function drawPaper(map, data, scene) {
  var paper = byId("lp-paper"), size = map.getSize();
  paper.textContent = "";
  var wide = Math.max(size.x, size.y * PAPER.wide / PAPER.high), high = wide * PAPER.high / PAPER.wide;
  var box = [size.x / 2 - wide / 2, size.y / 2 - high / 2, size.x / 2 + wide / 2, size.y / 2 + high / 2];
  var svg = element("svg", { viewBox: [box[0], box[1], wide, high].join(" "), "font-family": "inherit" }, paper);
  // Lettering and lines keep their size on paper however large the window was.
  var pen = new SvgPen(svg, wide / 824);
  var place = placer(map);
  element("rect", { x: box[0], y: box[1], width: wide, height: high, fill: "#fff" }, svg);
  if (data.grid && scene.isOn("grid")) { drawGrid(pen, data.grid, place, box, "lines"); }
  // Shapes of one look are one path: a printer driver is slow by the number of paths, not of points.
  scene.areas().forEach(function (group) {
    var looks = {};
    group.forEach(function (area) {
      var key = JSON.stringify(area.style), look = looks[key] || (looks[key] = { style: area.style, path: "" });
      look.path += svgPath(area.shape, place, box);
    });
    Object.keys(looks).forEach(function (key) { if (looks[key].path) { pen.area(looks[key].path, looks[key].style); } });
  });
  if (data.grid && scene.isOn("grid")) { drawGrid(pen, data.grid, place, box, "figures"); }
  drawLabels(pen, scene.labels(place, pen.scale), place, box);
  var middle = place(map.getCenter()), across = map.distance(map.containerPointToLatLng([0, middle[1]]), map.containerPointToLatLng([size.x, middle[1]]));
  var metresPerPixel = across / size.x;
  scaleBar(pen, box, metresPerPixel);
  element("rect", { x: box[2] - 42 * pen.scale, y: box[1] + 10 * pen.scale, width: 40 * pen.scale, height: 52 * pen.scale, fill: "#fff", "fill-opacity": 0.8 }, svg);
  var arrow = element("g", { transform: "translate(" + (box[2] - 34 * pen.scale) + " " + (box[1] + 14 * pen.scale) + ") scale(" + pen.scale + ")" }, svg);
  element("path", { d: "M12 1 20 30 12 24.5 4 30Z", fill: "#fff", stroke: "#000", "stroke-width": 1.2 }, arrow);
  element("path", { d: "M12 1 12 24.5 4 30Z", fill: "#000" }, arrow);
  element("text", { x: 12, y: 42, "text-anchor": "middle", "font-size": 11 }, arrow).textContent = "北";
  element("rect", { x: box[0], y: box[1], width: wide, height: high, fill: "none", stroke: "#000", "stroke-width": 2 * pen.scale }, svg);
  if (data.notice.length) {
    element("rect", { x: size.x / 2 - wide * 0.3, y: size.y / 2 - high * 0.08, width: wide * 0.6, height: high * 0.16, fill: "#fff", stroke: "#000", "stroke-width": pen.scale }, svg);
    pen.text(size.x / 2, size.y / 2 - high * 0.025, data.notice[0], { size: 18, ink: "#000", bold: true });
    pen.text(size.x / 2, size.y / 2 + high * 0.035, data.notice[1], { size: 11, ink: "#000" });
  }
  var ratio = metresPerPixel * wide / (PAPER.wide / 1000), digits = Math.pow(10, Math.max(0, Math.floor(Math.log10(ratio)) - 1));
  byId("lp-scale").textContent = "比例尺约 1:" + (Math.round(ratio / digits) * digits).toLocaleString("zh-CN").replace(/,/g, " ") + "（A4 横向，按 100% 打印）";
}
