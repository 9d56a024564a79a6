// Traces: what belongs together across processes; those of ours that were kept, and what others sent.

import { get } from "./api.js";
import { empty, h, put } from "./dom.js";
import { clock, us } from "./format.js";
import { waterfall } from "./waterfall.js";

export const title = "Traces";

function row(trace, longest) {
  return h(
    "tr",
    { class: "link" },
    h("td", { class: "quiet time" }, clock(trace.start / 1000)),
    h("td", { class: "path" }, h("a", { href: `#/traces/${trace.trace}` }, trace.name), trace.errors ? h("span", { class: "badges" }, h("span", { class: "badge bad" }, `${trace.errors} failed`)) : null),
    h("td", {}, trace.services.map((service) => h("span", { class: "badge" }, service))),
    h("td", { class: "num quiet" }, String(trace.spans)),
    h("td", { class: "num" }, us(trace.duration_us)),
    h("td", { class: "chart" }, h("span", { class: "length" }, h("i", { style: { width: `${Math.max((trace.duration_us / longest) * 100, 1)}%` } }))),
  );
}

async function one(root, id, { signal, own, fail }) {
  try {
    const trace = await get(`/api/traces/${id}`, { signal });
    const services = [...new Set(trace.spans.map((span) => span.service))];
    put(
      root,
      h("p", { class: "crumbs" }, h("a", { href: "#/traces" }, "Traces"), " / ", h("code", {}, id)),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, trace.spans[0]?.name ?? "Trace", h("small", {}, ` ${us(trace.duration_us)} · ${services.join(", ")}`)),
        waterfall(trace, own),
        trace.requests.length ? h("p", { class: "quiet small" }, "Requests of it: ", trace.requests.map((request) => [h("a", { href: `#/requests/${request.id}` }, `${request.method} ${request.path}`), " "])) : null,
      ),
    );
  } catch (error) {
    if (error.status === 404) put(root, empty("This trace is no longer kept", "The oldest go when there is no more room."));
    else fail(error);
  }
}

export function mount(root, { id }, context) {
  if (id) {
    one(root, id, context);
    return undefined;
  }
  const body = h("tbody", {});
  const note = h("div", {});
  const names = [["Time", ""], ["Begins with", ""], ["Services", ""], ["Spans", "num"], ["Took", "num"], ["", ""]];
  const head = h("tr", {}, names.map(([name, kind]) => (name ? h("th", { scope: "col", class: kind }, name) : h("td", {}))));
  put(root, h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Traces" }, h("table", { class: "traces" }, h("thead", {}, head), body), note));
  const look = async () => {
    try {
      const traces = await get("/api/traces?limit=200", { signal: context.signal });
      const longest = Math.max(...traces.map((trace) => trace.duration_us), 1);
      put(body, traces.map((trace) => row(trace, longest)));
      put(note, traces.length ? null : empty("No traces yet", "Those of the first hundred requests of each second are kept, and always those that fail, are slow or fall back. Your Node server and browser can send theirs to this address: set OTEL_EXPORTER_OTLP_ENDPOINT to it.", h("code", {}, location.origin)));
    } catch (error) {
      context.fail(error);
    }
  };
  body.addEventListener("click", (event) => {
    const link = event.target.closest("tr")?.querySelector("a");
    if (link && event.target !== link) location.hash = link.getAttribute("href");
  });
  look();
  const timer = setInterval(look, 5000);
  return { end: () => clearInterval(timer), keys: { r: look } };
}
