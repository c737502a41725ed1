"use strict";

// The page keeps the token in sessionStorage of this tab and nowhere else.
const TOKEN = "jingwei.token";
const PAGE_FEATURES = 5000;
const GRID_PAGES_MAX = 10;
const INCIDENTS_MAX = 5000;
const LISTED_MAX = 100;
const CLOSED = new Set(["closed", "rejected", "voided", "merged"]);
const STATES = {
  reported: ["Reported", "已上报"],
  registered: ["Registered", "已立案"],
  dispatched: ["Dispatched", "已派遣"],
  in_progress: ["In progress", "处置中"],
  handled: ["Handled", "已处置"],
  checking: ["Checking", "核查中"],
  closed: ["Closed or rejected", "已结案"],
};

class Refused extends Error {
  constructor(status, title) {
    super(title);
    this.status = status;
  }
}

const part = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

async function fetchPage(layer, cursor) {
  const query = new URLSearchParams({ limit: String(PAGE_FEATURES) });
  if (cursor) query.set("cursor", cursor);
  const response = await fetch(`/v1/layers/${layer}?${query}`, {
    headers: { Authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` },
    credentials: "omit",
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.title || "No answer");
  return body;
}

async function fetchLayer(layer, pagesMax) {
  const features = [];
  let cursor = null;
  for (let page = 0; page < pagesMax; page += 1) {
    const body = await fetchPage(layer, cursor);
    features.push(...body.features);
    cursor = body.next;
    if (!cursor) return { features, complete: true };
  }
  return { features, complete: false };
}

const shownState = (state) => (CLOSED.has(state) ? "closed" : state);
const FORM = { dateStyle: "medium", timeStyle: "short" };
const minute = (text) => (text ? new Date(text).toLocaleString([], FORM) : "");

function tooltip(...lines) {
  return element("div", {}, ...lines.filter(Boolean).flatMap((line) => [line, element("br")]));
}

function drawGrids(map, features) {
  return L.geoJSON(features, {
    style: () => ({ className: "grid" }),
    onEachFeature: (feature, layer) => {
      const { code, name, area_m2: area } = feature.properties;
      layer.bindTooltip(tooltip(name, code, `${(area / 10000).toFixed(2)} ha`), { sticky: true });
    },
  }).addTo(map);
}

function marker(feature) {
  const [lon, lat] = feature.geometry.coordinates;
  const { state, class: code, case_no: number, observed_at: at } = feature.properties;
  const drawn = L.circleMarker([lat, lon], {
    radius: 6,
    className: `incident fill-${shownState(state)}`,
  });
  const [english, chinese] = STATES[shownState(state)] || [state, ""];
  return drawn.bindTooltip(
    tooltip(`${english} ${chinese}`, `${code}${number ? ` · ${number}` : ""}`, minute(at)),
  );
}

function drawLegend() {
  part("legend").replaceChildren(
    ...Object.entries(STATES).map(([state, [english, chinese]]) => {
      const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      icon.setAttribute("width", "14");
      icon.setAttribute("height", "14");
      icon.setAttribute("aria-hidden", "true");
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      for (const name of ["cx", "cy"]) dot.setAttribute(name, "7");
      dot.setAttribute("r", "6");
      dot.setAttribute("class", `fill-${state}`);
      icon.append(dot);
      return element(
        "li",
        {},
        icon,
        element("span", {}, `${english} `, element("span", { lang: "zh" }, chinese)),
      );
    }),
  );
}

function listed(map, feature, drawn) {
  const { state, class: code, case_no: number, observed_at: at } = feature.properties;
  const [english] = STATES[shownState(state)] || [state];
  const button = element(
    "button",
    { type: "button" },
    `${english} · ${code}`,
    element("small", {}, [number, minute(at)].filter(Boolean).join(" · ")),
  );
  if (drawn) {
    button.addEventListener("click", () => {
      map.setView(drawn.getLatLng(), Math.max(map.getZoom(), 17));
      drawn.openTooltip();
    });
  } else {
    button.disabled = true;
  }
  return element("li", {}, button);
}

function drawIncidents(map, group, features, openOnly) {
  const shown = features.filter(
    (each) => !openOnly || !CLOSED.has(each.properties.state),
  );
  group.clearLayers();
  const markers = new Map();
  for (const each of shown) {
    if (!each.geometry) continue;
    const drawn = marker(each).addTo(group);
    markers.set(each.id, drawn);
  }
  const newest = [...shown].sort((a, b) =>
    String(b.properties.observed_at).localeCompare(String(a.properties.observed_at)),
  );
  part("list").replaceChildren(
    ...newest.slice(0, LISTED_MAX).map((each) => listed(map, each, markers.get(each.id))),
  );
  const rest = newest.length - LISTED_MAX;
  part("more").textContent = rest > 0 ? `and ${rest} more on the map` : "";
  return shown.length;
}

function ask(fault) {
  part("map").hidden = true;
  part("panel").hidden = true;
  part("leave").hidden = true;
  part("entry").hidden = false;
  part("fault").textContent = fault;
  part("status").textContent = "";
  part("token").value = "";
  part("token").focus();
}

function reasonOf(fault) {
  if (!(fault instanceof Refused)) return "The server cannot be reached. 无法连接服务器";
  if (fault.status === 401) return "This token is not valid. 令牌无效";
  if (fault.status === 403) return "This token may not read layers. 该令牌无权读取图层";
  return fault.message;
}

let map = null;

async function show() {
  part("entry").hidden = true;
  part("status").textContent = "Loading 加载中";
  let grids;
  let incidents;
  try {
    [grids, incidents] = await Promise.all([
      fetchLayer("grids", GRID_PAGES_MAX),
      fetchLayer("incidents", Math.ceil(INCIDENTS_MAX / PAGE_FEATURES)),
    ]);
  } catch (fault) {
    if (fault instanceof Refused && [401, 403].includes(fault.status)) {
      sessionStorage.removeItem(TOKEN);
    }
    ask(reasonOf(fault));
    return;
  }
  for (const id of ["map", "panel", "leave"]) part(id).hidden = false;
  if (map) map.remove();
  map = L.map("map", { zoomSnap: 0.25, attributionControl: false });
  L.control.scale({ imperial: false }).addTo(map);
  map.setView([0, 0], 2);
  const drawn = drawGrids(map, grids.features);
  if (grids.features.length) map.fitBounds(drawn.getBounds(), { padding: [16, 16] });
  const group = L.layerGroup().addTo(map);
  const redraw = () => {
    const count = drawIncidents(map, group, incidents.features, part("open-only").checked);
    const more = grids.complete && incidents.complete ? "" : " (first pages)";
    part("status").textContent =
      `${grids.features.length} grids 网格 · ${count} incidents 事件${more}`;
    document.body.dataset.incidents = String(count);
  };
  part("open-only").onchange = redraw;
  drawLegend();
  redraw();
  document.body.dataset.grids = String(grids.features.length);
}

part("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, part("token").value.trim());
  show();
});
part("leave").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  if (map) map.remove();
  map = null;
  ask("");
});
window.addEventListener("hashchange", () => {
  takeTokenFromAddress();
  if (sessionStorage.getItem(TOKEN)) show();
});

takeTokenFromAddress();
if (sessionStorage.getItem(TOKEN)) show();
else ask("");
