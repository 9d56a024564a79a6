// Components: what each is, what it may do and does, and how near it is to its limits.

import { get, query } from "./api.js";
import { meter } from "./charts.js";
import { empty, h, put } from "./dom.js";
import { bytes, count, percent, seconds, us } from "./format.js";

export const title = "Components";

/** What a grant is in use, in a word, a colour and a sentence. */
export function state(grant, name) {
  if (!grant.granted) {
    return grant.denied > 0
      ? ["denied", "bad", `It asked ${count(grant.denied)} times and was denied each time. To allow it, add ${grant.name} = … under [component.${name}.grants].`]
      : ["not granted", "quiet", "It imports this, was not granted it, and has not asked yet. Each call would be answered with “denied”."];
  }
  if (grant.denied > 0) return ["partly denied", "warn", `${count(grant.denied)} calls went beyond what is granted and were denied.`];
  if (grant.used === null) return ["granted", "info", "Calls of this capability are not counted."];
  if (grant.used > 0) return ["used", "good", `Used in ${count(grant.used)} calls.`];
  return grant.imported.length === 0
    ? ["not imported", "warn", "It is granted, but the component doesn't import it: the grant can be removed."]
    : ["unused", "warn", "It is granted and imported, but has not been used since the start. If it stays so, remove the grant."];
}

function amount(limit, n) {
  if (limit.unit === "bytes") return bytes(n);
  if (limit.unit === "seconds") return seconds(n);
  return count(n);
}

function grants(card) {
  if (card.grants.length === 0) return h("p", { class: "quiet" }, "It has no grants and asks for none: it can compute and answer, nothing else.");
  return h(
    "ul",
    { class: "grants" },
    card.grants.map((grant) => {
      const [word, tone, sentence] = state(grant, card.name);
      return h("li", {}, h("span", { class: ["badge", tone] }, word), h("strong", {}, grant.name), h("p", {}, sentence), grant.imported.length ? h("p", { class: "quiet small" }, grant.imported.join(", ")) : null);
    }),
  );
}

function limits(card) {
  return h(
    "ul",
    { class: "limits" },
    card.limits.map((limit) =>
      h("li", {}, h("span", {}, limit.name), limit.now === null ? h("span", { class: "quiet small" }, "per request or instance") : meter(limit.now / limit.most, limit.name), h("span", { class: "num" }, limit.now === null ? amount(limit, limit.most) : `${amount(limit, limit.now)} of ${amount(limit, limit.most)}`)),
    ),
    card.limits_hit.map((hit) => h("li", {}, h("span", {}, hit.what), h("span", { class: "badge warn" }, "limit hit"), h("span", { class: "num" }, `${count(hit.count)} times`))),
  );
}

function calls(card) {
  if (card.calls.length === 0) return null;
  const rows = [...card.calls].sort((left, right) => right.count - left.count);
  return h(
    "details",
    { open: true },
    h("summary", {}, "Calls into the host"),
    h("table", {}, h("thead", {}, h("tr", {}, [["Function", ""], ["Ended", ""], ["Calls", "num"], ["Median", "num"], ["p95", "num"]].map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))), h("tbody", {}, rows.map((call) => h("tr", {}, h("td", {}, h("code", {}, `${call.interface}.${call.function}`)), h("td", {}, call.error ? h("span", { class: "badge bad" }, call.error) : h("span", { class: "quiet" }, "well")), h("td", { class: "num" }, count(call.count)), h("td", { class: "num" }, seconds(call.p50)), h("td", { class: "num" }, seconds(call.p95)))))),
  );
}

function fact(name, value, hint) {
  return h("div", { title: hint }, h("dt", {}, name), h("dd", {}, value));
}

function facts(card) {
  const { instances } = card;
  const served = card.requests || 0;
  return h(
    "dl",
    { class: "facts" },
    fact("Requests", h("a", { href: `#/requests?${query({ destination: card.name })}` }, count(served)), "Since the start"),
    fact("Instances", `${instances.live} live`, `${count(instances.created)} were made, ${instances.retired.map((one) => `${count(one.count)} ended: ${one.what}`).join(", ")}`),
    fact("Reused", percent(instances.reused, served), "Requests that met an instance that was there"),
    fact("Cold start", seconds(card.cold_start_p50), "Median time to make an instance"),
    fact("CPU", `${us((card.cpu_seconds / Math.max(served, 1)) * 1e6)} / request`, `${card.cpu_seconds.toFixed(2)} s altogether`),
    fact("Queue p95", seconds(card.wait_p95), "How long requests waited for a place"),
    card.denied ? fact("Denied", h("span", { class: "bad" }, count(card.denied)), "Outbound requests that were not let out") : null,
    card.traps.map((trap) => fact("Traps", h("span", { class: "bad" }, `${count(trap.count)} ${trap.what}`), "The guest failed")),
    card.collateral ? fact("Collateral", count(card.collateral), "Requests that failed with another one in their instance") : null,
    card.replayed ? fact("Replayed", count(card.replayed), "Requests that ran again, alone") : null,
  );
}

function names(label, list) {
  return list.length ? h("details", {}, h("summary", {}, `${label} (${list.length})`), h("ul", { class: "names" }, list.map((name) => h("li", {}, h("code", {}, name))))) : null;
}

function view(card) {
  return h(
    "article",
    { class: "panel component", id: `component-${card.name}` },
    h("header", {}, h("h2", {}, card.name), h("span", { class: "badge" }, card.world), card.mapped ? null : h("span", { class: "badge", title: "It has not been called of late: its code is not mapped" }, "asleep"), h("span", { class: "quiet small grow" }, card.producers.join(", ")), h("code", { class: "quiet small", title: card.digest }, `${card.digest.slice(0, 19)}… · ${bytes(card.size)}`)),
    facts(card),
    h("div", { class: "columns" }, h("section", {}, h("h3", {}, "Grants"), grants(card)), h("section", {}, h("h3", {}, "Limits and headroom"), limits(card))),
    calls(card),
    card.notes.length ? h("ul", { class: "notes" }, card.notes.map((note) => h("li", {}, note))) : null,
    card.routes.length ? h("p", { class: "quiet small" }, "Routes: ", card.routes.map((route) => [h("code", {}, route), " "])) : null,
    names("Imports", card.imports),
    names("Exports", card.exports),
  );
}

export function mount(root, _, { signal, fail }) {
  const look = async () => {
    // What somebody has opened to read stays open.
    if (root.contains(document.activeElement) && document.activeElement.tagName === "SUMMARY") return;
    try {
      const cards = await get("/api/components", { signal });
      const closed = new Set([...root.querySelectorAll("details")].filter((one) => one.open).map((one) => one.closest("article").id + one.firstChild.textContent));
      const first = root.childElementCount === 0;
      put(root, cards.length ? cards.map(view) : empty("No components", "This app has routes to upstreams or files only."));
      if (!first) {
        for (const one of root.querySelectorAll("details")) one.open = closed.has(one.closest("article").id + one.firstChild.textContent);
      }
    } catch (error) {
      fail(error);
    }
  };
  look();
  const timer = setInterval(look, 5000);
  return () => clearInterval(timer);
}
