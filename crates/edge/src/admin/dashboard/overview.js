// What is going on: rate, errors and duration, altogether and by route; what went wrong last; what stands behind.

import { get, query } from "./api.js";
import { spark } from "./charts.js";
import { empty, h, put } from "./dom.js";
import { ago, bytes, clock, count, percent, rate, seconds, statusClass, statusText, us } from "./format.js";

const EVERY = 5000;

function tile(name, value, unit, chart, hint) {
  return h(
    "div",
    { class: "tile", title: hint },
    h("span", { class: "name" }, name),
    h("span", { class: "value" }, value, unit ? h("small", {}, ` ${unit}`) : null),
    chart,
  );
}

/** One figure of all points, for a route or for all together. */
function series(points, pick, route) {
  return points.map((point) => {
    const reds = route === undefined ? Object.values(point.routes) : [point.routes[route]].filter(Boolean);
    return pick(reds, point);
  });
}

const requests = (reds, point) => reds.reduce((sum, red) => sum + red.requests, 0) / (point.seconds || 1);
const errors = (reds, point) => reds.reduce((sum, red) => sum + red.errors, 0) / (point.seconds || 1);
const worst = (key) => (reds) => (reds.length ? Math.max(...reds.map((red) => red[key] ?? 0)) : null);

const last = (values) => values.findLast((value) => value !== null && value !== undefined) ?? null;

function tiles(data) {
  const { points } = data;
  const rates = series(points, requests);
  const failing = series(points, errors);
  const p95 = series(points, worst("p95"));
  const cpu = points.map((point) => Object.values(point.components).reduce((sum, one) => sum + one.cpu_seconds, 0) / (point.seconds || 1));
  const [used, most] = data.slots;
  const recent = points.slice(-12);
  const total = recent.flatMap((point) => Object.values(point.routes)).reduce((sum, red) => sum + red.requests, 0);
  const failed = recent.flatMap((point) => Object.values(point.routes)).reduce((sum, red) => sum + red.errors, 0);
  return [
    tile("Requests", rate(last(rates)), "/s", spark(rates, { errors: failing, height: 40, label: "requests a second over the last ten minutes" }), `${data.total.toLocaleString("en")} since the start`),
    tile("Errors", percent(failed, total), "last minute", spark(failing, { height: 40, tone: "bad", label: "errors a second over the last ten minutes" }), "Answers of 500 and more, and requests without an answer"),
    tile("95 % are faster than", seconds(last(p95)), "", spark(p95, { height: 40, tone: "info", label: "95th percentile over the last ten minutes" }), "Of the slowest route, as far as the buckets tell"),
    tile("Guest CPU", (last(cpu) ?? 0).toFixed(2), "cores", spark(cpu, { height: 40, tone: "violet", label: "CPU time of guests over the last ten minutes" }), "CPU seconds of guests in each second"),
    tile("Running now", count(data.running), data.running === 1 ? "request" : "requests", h("p", { class: "note" }, `${count(used)} of ${count(most)} instance slots taken`), ""),
    tile("Memory of guests", bytes(data.memory), "", h("p", { class: "note" }, `${count(data.kept.count)} requests, ${count(data.logs.count)} lines kept in ${bytes(data.kept.bytes + data.logs.bytes + data.received.bytes)}`), ""),
  ];
}

function routeRow(data, route, red) {
  const rates = series(data.points, requests, route);
  const failing = series(data.points, errors, route);
  const name = route || "(no route)";
  const link = `#/requests?${query({ route })}`;
  const slow = `#/requests?${query({ route, slower_ms: red.p95 ? Math.round(red.p95 * 1000) : "" })}`;
  return h(
    "tr",
    { tabindex: 0, class: "link", "data-href": link },
    h("td", { class: "route" }, route ? h("a", { href: link }, name) : name),
    h("td", { class: "num" }, rate(last(rates)), h("small", {}, " /s")),
    h("td", { class: "chart" }, spark(rates, { errors: failing, label: `requests a second to ${name}` })),
    h("td", { class: "num" }, count(red.requests)),
    h("td", { class: ["num", red.errors ? "bad" : "quiet"] }, red.errors ? h("a", { href: `#/requests?${query({ route, problems: true })}` }, percent(red.errors, red.requests)) : "0 %"),
    h("td", { class: "num" }, seconds(red.p50)),
    h("td", { class: "num" }, h("a", { href: slow, title: "Show the requests that took this long" }, seconds(red.p95))),
    h("td", { class: "num" }, seconds(red.p99)),
  );
}

function routes(data) {
  const all = Object.entries(data.routes).sort(([, left], [, right]) => right.requests - left.requests);
  if (all.length === 0) {
    return empty("No requests yet", "Send one, and it shows up here within five seconds; on the page Requests at once.");
  }
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Routes" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ["Route", "Now", "Ten minutes", "Requests", "Errors", "Median", "p95", "p99"].map((name, at) => h("th", { scope: "col", class: at === 0 || at === 2 ? "" : "num" }, name)))),
      h("tbody", {}, all.slice(0, 100).map(([route, red]) => routeRow(data, route, red))),
    ),
  );
}

function problems(rows) {
  if (rows.length === 0) return empty("Nothing went wrong", "Failed, cut off and redirected-to-fallback requests would be listed here.");
  return h(
    "ul",
    { class: "list" },
    rows.map((row) =>
      h(
        "li",
        {},
        h(
          "a",
          { href: `#/requests/${row.id}` },
          h("span", { class: ["status", statusClass(row)] }, statusText(row)),
          h("span", { class: "what" }, `${row.method} ${row.path}`, h("small", {}, row.fallback_from ? ` fallback from ${row.fallback_from}` : ` ${row.error_type ?? ""}`)),
          h("span", { class: "num quiet" }, us(row.duration_us)),
          h("time", { class: "quiet" }, clock(row.time)),
        ),
      ),
    ),
  );
}

function upstreams(list) {
  if (list.length === 0) return null;
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, "Upstreams"),
    h("ul", { class: "list" }, list.map((one) => h("li", {}, h("span", { class: "row" }, h("span", { class: ["dot", one.health === "ready" ? "good" : one.health === "down" ? "bad" : "warn"] }), h("strong", {}, one.name), h("span", { class: "quiet" }, one.reason ? `${one.health}: ${one.reason}` : one.health))))),
  );
}

export const title = "Overview";

export function mount(root, _, { signal, fail }) {
  const tileRow = h("div", { class: "tiles" });
  const routeBox = h("section", { class: "panel" }, h("h2", {}, "Routes"), h("div", { class: "busy" }, "…"));
  const problemBox = h("section", { class: "panel" }, h("h2", {}, "What went wrong last"));
  const behind = h("div", {});
  put(root, tileRow, routeBox, h("div", { class: "columns" }, problemBox, behind));
  routeBox.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (event.key === "Enter" && row && event.target === row) location.hash = row.dataset.href;
  });
  const look = async () => {
    try {
      const [data, wrong] = await Promise.all([get("/api/overview", { signal }), get("/api/requests?problems=1&limit=8", { signal })]);
      put(tileRow, tiles(data));
      put(routeBox, h("h2", {}, "Routes"), routes(data));
      put(problemBox, h("h2", {}, "What went wrong last"), problems(wrong));
      put(behind, upstreams(data.upstreams), h("p", { class: "quiet small" }, `Up for ${ago(data.uptime_seconds)}. Generation ${data.generation} of the app.`));
    } catch (error) {
      fail(error);
    }
  };
  look();
  const timer = setInterval(look, EVERY);
  return () => clearInterval(timer);
}
