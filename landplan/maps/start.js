// The page itself: data in, layers on, one parcel open at a time.

var data = JSON.parse(byId("landplan-data").textContent);
var map = window[document.querySelector(".folium-map").id];
var hidden = {}, groups = {}, shapes = {}, sheets = {}, picked = null;

document.title = data.title + " · " + data.subtitle;
byId("lp-title").textContent = data.title;
byId("lp-title").title = data.title;
byId("lp-subtitle").textContent = data.subtitle;
byId("lp-day").textContent = "评定日 " + data.as_of;
byId("lp-sample").hidden = !data.is_sample;
data.source.forEach(function (words) { tag("span", "", words, byId("lp-source")); });
if (data.notice.length) {
  byId("lp-notice").hidden = false;
  byId("lp-notice").firstElementChild.textContent = data.notice[0];
  byId("lp-notice").lastElementChild.textContent = data.notice[1];
}

L.control.zoom({ position: "bottomright", zoomInTitle: "放大", zoomOutTitle: "缩小" }).addTo(map);
L.control.scale({ imperial: false, position: "bottomright", maxWidth: 130 }).addTo(map);

[["grid", 210], ["zones", 300], ["layers", 320], ["parcels", 400], ["overlaps", 420], ["picked", 440], ["labels", 460]].forEach(function (pane) {
  var made = map.createPane(pane[0]);
  made.style.zIndex = pane[1];
  if (pane[0] !== "parcels") { made.style.pointerEvents = "none"; }
});

function addShapes(key, pane, list, style) {
  var group = groups[key] || (groups[key] = { layer: L.featureGroup().addTo(map), shapes: [] });
  var renderer = sheets[pane] || (sheets[pane] = new HatchCanvas({ pane: pane, padding: 0.3 }));
  return list.map(function (shape) {
    var options = leafletStyle(style), points = decode(shape);
    options.renderer = renderer;
    options.pane = pane;
    options.interactive = pane === "parcels";
    group.shapes.push({ shape: points, style: style });
    return L.polygon(points, options).addTo(group.layer);
  });
}

// Parcels are switched on and off by their class on the list, or by their place in the supply of land.
function groupOf(parcel) {
  if (!data.list) { return "supply." + (parcel.s || "unknown"); }
  return "class." + (parcel.c[chosen] < 0 ? "rest" : parcel.c[chosen]);
}

function drawParcels() {
  Object.keys(groups).filter(isOfParcels).forEach(function (key) {
    groups[key].layer.remove();
    delete groups[key];
  });
  var order = data.parcels.map(function (parcel, number) { return number; });
  // Zones lie below parcels, and what is not on the list below what is.
  if (data.list) { order.sort(function (a, b) { return rank(data.parcels[a]) - rank(data.parcels[b]) || a - b; }); }
  order.forEach(function (number) {
    var parcel = data.parcels[number];
    if (!parcel.g) { return; }
    var drawn = addShapes(groupOf(parcel), "parcels", [parcel.g], face(parcel, parcel.s))[0];
    drawn.on("click", function (event) {
      L.DomEvent.stop(event);
      open(number, false);
    });
    drawn.on("mouseover mousemove", function (event) { tip(parcel, event.containerPoint); });
    drawn.on("mouseout", function () { byId("lp-tip").hidden = true; });
    shapes[number] = drawn;
  });
  Object.keys(groups).filter(isOfParcels).forEach(function (key) { if (!isOn(key)) { groups[key].layer.remove(); } });
}

function rank(parcel) { return parcel.z ? -1 : parcel.c[chosen] < 0 ? 0 : 1; }

function isOfParcels(key) { return /^(supply|class)\./.test(key); }

addShapes("zones", "zones", data.zones.map(function (zone) { return zone.g; }), zoneStyle);
data.layers.forEach(function (layer, number) { addShapes("layer." + number, "layers", layer.g, layerStyle(layer, number)); });
if (data.overlaps) { addShapes("overlaps", "overlaps", data.overlaps.g, overlapStyle); }
drawParcels();
// Where a list is shown, what else lies on the land is drawn when it is asked for.
if (data.list) {
  Object.keys(groups).forEach(function (key) {
    if (key === "overlaps" || key.indexOf("layer.") === 0) {
      hidden[key] = true;
      groups[key].layer.remove();
    }
  });
}

function isOn(key) { return !hidden[key]; }

function show(key, on) {
  hidden[key] = !on;
  if (groups[key]) { groups[key].layer[on ? "addTo" : "remove"](map); }
  if (key === "grid") { gridSheet.redraw(); }
  labelSheet.redraw();
}

// Where the upper side of an outline crosses its middle: room for a name that covers no parcel.
function topMiddle(ring) {
  var bounds = L.latLngBounds(ring), middle = bounds.getCenter().lng, top = [bounds.getSouth(), middle];
  ring.forEach(function (q, at) {
    var p = ring[(at || ring.length) - 1], d = q[1] - p[1];
    if (d && (p[1] - middle) * (q[1] - middle) <= 0) { top[0] = Math.max(top[0], p[0] + (q[0] - p[0]) * (middle - p[1]) / d); }
  });
  return top;
}

function labels(place, scale) {
  var items = [];
  if (isOn("zones")) {
    data.zones.forEach(function (zone) {
      items.push({ words: zone.name.slice(0, 40), at: topMiddle(decode(zone.g)[0][0]), look: { size: 13, ink: "#23303f", bold: true } });
    });
  }
  data.parcels.forEach(function (parcel, number) {
    if (!parcel.p || !isOn(groupOf(parcel))) { return; }
    var bounds = shapes[number].getBounds(), a = place(bounds.getNorthWest()), b = place(bounds.getSouthEast());
    var words = parcel.id.slice(0, 24), wide = textWidth(words, 11) * scale;
    if (number === picked || (b[0] - a[0] > wide * 0.9 && b[1] - a[1] > 12 * scale)) {
      items[number === picked ? "unshift" : "push"]({ words: words, at: [parcel.p[1] / 1e6, parcel.p[0] / 1e6], look: { size: 11, ink: "#1b2733", bold: number === picked } });
      // What the list says of it stands below its number, where there is room for both.
      if (parcel.w && b[0] - a[0] > textWidth(parcel.w, 10) * scale && b[1] - a[1] > 34 * scale) {
        items.push({ words: parcel.w, at: [parcel.p[1] / 1e6, parcel.p[0] / 1e6], down: 14, look: { size: 10, ink: "#1b2733" } });
      }
    }
  });
  return items;
}

var onScreen = placer(map);

var gridSheet = new Sheet("grid", function (pen, box) {
  if (data.grid && isOn("grid")) { drawGrid(pen, data.grid, onScreen, box, "lines"); }
});
var labelSheet = new Sheet("labels", function (pen, box) {
  if (data.grid && isOn("grid")) { drawGrid(pen, data.grid, onScreen, box, "figures"); }
  drawLabels(pen, labels(onScreen, 1), onScreen, box);
});

function tip(parcel, at) {
  var box = byId("lp-tip"), size = map.getSize();
  box.textContent = "";
  tag("b", "", parcel.id, box);
  tag("span", "", [parcel.name, panel.word(parcel), parcel.w, parcel.mu === null ? "" : mu(parcel.mu) + " 亩"].filter(Boolean).join(" · "), box);
  box.hidden = false;
  box.style.left = Math.max(4, Math.min(at.x + 14, size.x - box.offsetWidth - 6)) + "px";
  box.style.top = Math.max(4, Math.min(at.y + 14, size.y - box.offsetHeight - 6)) + "px";
}

function address(words) {
  // A page inside a notebook has no address of its own.
  try { history.replaceState(null, "", words); } catch (error) { return; }
}

function open(number, move) {
  var parcel = data.parcels[number];
  if (groups.picked) { groups.picked.layer.remove(); }
  delete groups.picked;
  picked = number;
  if (parcel.g) {
    addShapes("picked", "picked", [parcel.g], pickedStyle);
    var bounds = shapes[number].getBounds();
    if (move && !(map.getBounds().contains(bounds) && map.getZoom() >= map.getBoundsZoom(bounds) - 3)) {
      map.fitBounds(bounds, { maxZoom: Math.max(map.getZoom(), map.getBoundsZoom(bounds) - 2), animate: false });
    }
  }
  panel.show(number);
  labelSheet.redraw();
  address("#" + encodeURIComponent(parcel.id));
}

function close() {
  if (groups.picked) { groups.picked.layer.remove(); }
  delete groups.picked;
  picked = null;
  panel.back();
  labelSheet.redraw();
  address(location.pathname + location.search);
}

function followAddress() {
  var sought = location.hash.slice(1);
  try { sought = decodeURIComponent(sought); } catch (error) { /* a % that is no code is part of the number */ }
  var number = data.parcels.findIndex(function (parcel) { return parcel.id === sought; });
  if (sought && number >= 0) { open(number, true); }
}

// Another way to colour the list: what was switched off was a class of the former.
function choose(number) {
  chosen = number;
  Object.keys(hidden).filter(isOfParcels).forEach(function (key) { delete hidden[key]; });
  drawParcels();
  buildLegend(data, show, choose, isOn);
  panel.search(byId("lp-query").value);
  if (picked !== null) { open(picked, false); }
  labelSheet.redraw();
  byId("lp-theme").focus();
}

function fitAll() {
  var b = data.bounds;
  if (b) { map.fitBounds([[b[1], b[0]], [b[3], b[2]]], { padding: [34, 34], maxZoom: 18, animate: false }); }
}

var panel = new Panel(data, open, close);
buildLegend(data, show, choose, isOn);
fitAll();
gridSheet.addTo(map);
labelSheet.addTo(map);
map.on("movestart zoomstart", function () { byId("lp-tip").hidden = true; });
byId("lp-fit").addEventListener("click", fitAll);
byId("lp-print").addEventListener("click", function () { window.print(); });

var scene = {
  isOn: isOn, labels: labels,
  areas: function () {
    var keys = ["zones"].concat(data.layers.map(function (layer, number) { return "layer." + number; }));
    keys = keys.concat(Object.keys(groups).filter(isOfParcels), ["overlaps", "picked"]);
    return keys.filter(function (key) { return groups[key] && isOn(key); }).map(function (key) { return groups[key].shapes; });
  }
};
window.addEventListener("beforeprint", function () { drawPaper(map, data, scene); });
window.addEventListener("hashchange", followAddress);
new ResizeObserver(function () { map.invalidateSize({ animate: false }); }).observe(byId("lp-main"));
followAddress();
// For tests and for pages that frame this one: where the map is, and what stands at a place of the survey's plane.
window.landplan = Object.freeze({
  map: map, open: open, close: close,
  place: function (easting, northing) { return data.grid ? planePoint(data.grid, easting, northing) : null; }
});
