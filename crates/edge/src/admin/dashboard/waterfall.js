// A trace over time: its spans as a tree, each with its bar; one of them in detail; and the lines that were written meanwhile.

import { h, put } from "./dom.js";
import { bytes, clock, us } from "./format.js";

/** What kind of work a span is, for its colour. */
export function tone(span, own) {
  if (span.service !== own) return "foreign";
  if (span.name.startsWith("wasm.invoke")) return "invoke";
  if (span.name.startsWith("wasm.instantiate")) return "start";
  if (span.kind === "server") return "server";
  const by = span.attributes["wasm.interface"] ?? "";
  if (by.startsWith("wasi:keyvalue") || by.startsWith("wasi:config")) return "store";
  if (span.kind === "client") return "client";
  return "guest";
}

/** The name of a span, with whom it calls where the name alone says little. */
export function label(span) {
  const to = span.kind === "client" && span.attributes["server.address"];
  return to ? `${span.name} ${span.attributes["coracle.upstream"] ?? `${to}:${span.attributes["server.port"] ?? ""}`}` : span.name;
}

/** Spans in the order of a tree, with depth; those whose parent is not here are roots. */
export function tree(spans) {
  const ids = new Set(spans.map((span) => span.id));
  const children = new Map();
  const roots = [];
  for (const span of spans) {
    if (span.parent && ids.has(span.parent)) {
      if (!children.has(span.parent)) children.set(span.parent, []);
      children.get(span.parent).push(span);
    } else roots.push(span);
  }
  const all = [];
  const seen = new Set();
  const visit = (span, depth) => {
    if (seen.has(span.id)) return;
    seen.add(span.id);
    const own = children.get(span.id) ?? [];
    all.push({ span, depth, leaf: own.length === 0 });
    own.sort((left, right) => left.start - right.start).forEach((child) => visit(child, depth + 1));
  };
  roots.sort((left, right) => left.start - right.start).forEach((span) => visit(span, 0));
  return all;
}

/** What a trace has below one request: its own spans and those of what it called. A trace may hold others, hours apart. */
export function below(trace, request) {
  const root = trace.spans.find((span) => span.request === request && span.kind === "server");
  if (!root) return trace;
  const kept = new Set([root.id]);
  // Spans are in the order of their beginning: a parent comes before its children, but clocks of others may differ.
  for (let grown = true; grown; ) {
    grown = false;
    for (const span of trace.spans) {
      if (!kept.has(span.id) && kept.has(span.parent)) {
        kept.add(span.id);
        grown = true;
      }
    }
  }
  const spans = trace.spans.filter((span) => kept.has(span.id));
  const start = Math.min(...spans.map((span) => span.start));
  const end = Math.max(...spans.map((span) => span.start + span.duration_us));
  const requests = new Set(spans.map((span) => span.request).filter(Boolean));
  const logs = trace.logs.filter((log) => (log.request ? requests.has(log.request) : kept.has(log.span)));
  return { ...trace, spans, start, duration_us: end - start, logs };
}

function ticks(total) {
  const count = 5;
  return h(
    "div",
    { class: "ticks", "aria-hidden": "true" },
    Array.from({ length: count }, (_, at) => h("span", { style: { left: `${(at / (count - 1)) * 100}%` } }, us((total * at) / (count - 1)))),
  );
}

function value(key, of) {
  if (typeof of === "number" && key.endsWith("bytes")) return bytes(of);
  if (typeof of === "number" && key.endsWith("_us")) return us(of);
  return typeof of === "object" && of !== null ? JSON.stringify(of) : String(of);
}

function detail(span) {
  const rows = Object.entries(span.attributes);
  return h(
    "div",
    { class: "detail" },
    h("h3", {}, label(span), h("small", {}, ` ${us(span.duration_us)} · ${span.kind} · ${span.service}`)),
    span.error !== null ? h("p", { class: "error" }, span.error || "ended with an error") : null,
    rows.length ? h("dl", {}, rows.map(([key, of]) => [h("dt", {}, key), h("dd", {}, value(key, of))])) : null,
    span.events.length
      ? [
          h("h4", {}, "Events"),
          h("ul", { class: "events" }, span.events.map((event) => h("li", {}, h("code", {}, event.name), " ", h("span", { class: "quiet" }, `after ${us(event.time - span.start)}`), h("dl", {}, Object.entries(event.attributes).map(([key, of]) => [h("dt", {}, key), h("dd", {}, value(key, of))]))))),
        ]
      : null,
    h("p", { class: "quiet small" }, "span ", h("code", {}, span.id), span.parent ? [" in ", h("code", {}, span.parent)] : " · root"),
  );
}

function rest(spans) {
  const counted = spans.flatMap((span) => span.events.filter((event) => event.name === "wasm.hostcalls"));
  if (counted.length === 0) return null;
  return h(
    "p",
    { class: "hint" },
    "Beyond the budget of spans: ",
    counted.map((event) => `${event.attributes["wasm.hostcall.count"]} × ${event.attributes["wasm.hostcall.name"]} (${us(event.attributes["wasm.hostcall.total_us"])})`).join(", "),
  );
}

function lines(logs) {
  if (logs.length === 0) return null;
  return h(
    "section",
    {},
    h("h3", {}, "Lines written meanwhile"),
    h("ol", { class: "lines" }, logs.map((log) => h("li", { class: log.severity }, h("time", {}, clock(log.time)), h("span", { class: "source" }, log.name ?? log.source), h("span", { class: "body" }, log.body)))),
  );
}

/** The waterfall of a trace as the listener tells it. */
export function waterfall(trace, own) {
  const all = tree(trace.spans);
  const total = Math.max(trace.duration_us, 1);
  const box = h("div", { class: "detail-box" });
  const show = (span, row) => {
    body.querySelectorAll("[aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    row.setAttribute("aria-current", "true");
    put(box, detail(span));
  };
  const line = ({ span, depth }) => {
    const left = ((span.start - trace.start) / total) * 100;
    const width = Math.max((span.duration_us / total) * 100, 0.25);
    const row = h(
      "button",
      { type: "button", class: ["span", span.error !== null && "failed"], onclick: () => show(span, row) },
      h("span", { class: "what", style: { "padding-left": `${depth * 14}px` } }, h("i", { class: ["mark", tone(span, own)] }), h("span", {}, label(span)), span.service !== own ? h("small", {}, span.service) : null),
      h("span", { class: "track" }, h("span", { class: ["bar", tone(span, own)], style: { left: `${left}%`, width: `${width}%` } }), h("span", { class: ["took", left + width > 82 && "before"], style: left + width > 82 ? { right: `${100 - left}%` } : { left: `${left + width}%` } }, us(span.duration_us))),
    );
    return row;
  };
  const body = h("div", { class: "spans" }, all.slice(0, 1000).map(line));
  const widest = all.find(({ span, depth }) => span.error !== null && depth > 0) ?? all[0];
  const first = all.indexOf(widest);
  if (widest) show(widest.span, body.children[first]);
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    const row = event.target.closest(".span");
    if (!step || !row) return;
    event.preventDefault();
    event.stopPropagation();
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    next?.focus();
    next?.click();
  });
  return h(
    "div",
    { class: "waterfall" },
    trace.partial ? h("p", { class: "hint" }, "Only the outline of this trace was kept: it was not sampled, and it ended well. Traces that fail, are slow or fall back are always kept whole.") : null,
    h("div", { class: "head" }, h("span", { class: "what" }, `${all.length} spans · ${us(trace.duration_us)}`), ticks(total)),
    body,
    rest(trace.spans),
    box,
    lines(trace.logs),
  );
}
