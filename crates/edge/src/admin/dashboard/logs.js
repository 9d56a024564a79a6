// Lines of guests, of Coracle itself, of servers it started and of whoever sends theirs: as they come, with filters.

import { follow, get, query } from "./api.js";
import { empty, h, icon, put } from "./dom.js";
import { clock } from "./format.js";

export const title = "Logs";

const SHOWN = 1000;

function line(log) {
  const attributes = Object.entries(log.attributes ?? {});
  return h(
    "li",
    { class: log.severity, "data-n": log.n },
    h("time", {}, clock(log.time)),
    h("span", { class: "severity" }, log.severity),
    h("span", { class: "source", title: log.source }, log.name ?? log.source),
    h("span", { class: "body" }, log.body, attributes.length ? h("span", { class: "attributes" }, attributes.map(([key, of]) => ` ${key}=${typeof of === "object" ? JSON.stringify(of) : of}`)) : null),
    log.request ? h("a", { href: `#/requests/${log.request}`, class: "id" }, log.request.slice(0, 8)) : log.trace ? h("a", { href: `#/traces/${log.trace}`, class: "id" }, log.trace.slice(0, 8)) : h("span", { class: "id" }),
  );
}

function select(name, label, options, current) {
  return h("select", { name, "aria-label": label }, options.map(([value, text]) => h("option", { value, selected: current === value }, text)));
}

export function mount(root, { params }, { signal, fail, go }) {
  const values = Object.fromEntries(["text", "severity", "source", "name"].map((name) => [name, params.get(name) ?? ""]));
  const filters = h(
    "form",
    { class: "filters", role: "search" },
    h("span", { class: "search" }, icon("search"), h("input", { type: "search", name: "text", "aria-label": "Text", placeholder: "Text", value: values.text, "data-search": true, autocomplete: "off" })),
    select("severity", "Least severity", [["", "any severity"], ["debug", "debug and up"], ["info", "info and up"], ["warn", "warnings and up"], ["error", "errors"]], values.severity),
    select("source", "Source", [["", "any source"], ["guest", "guests"], ["stdout", "stdout"], ["stderr", "stderr"], ["host", "Coracle"], ["upstream", "upstreams"], ["received", "received"]], values.source),
    h("input", { name: "name", "aria-label": "Component or service", placeholder: "component or service", value: values.name, autocomplete: "off" }),
    h("span", { class: "grow" }),
    h("button", { type: "button", class: "button", "data-pause": true, "aria-pressed": "false" }, icon("pause"), h("span", {}, "Live")),
  );
  const list = h("ol", { class: "lines full" });
  const note = h("p", { class: "quiet small foot", role: "status" });
  const box = h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Lines" }, note, list);
  put(root, filters, box);
  let paused = false;
  let oldest = null;
  let ended = false;
  let loading = false;
  const bottom = () => box.scrollTop + box.clientHeight > box.scrollHeight - 60;
  const older = async () => {
    if (loading || ended) return;
    loading = true;
    try {
      const found = await get(`/api/logs?${query({ ...values, limit: 200, before: oldest })}`, { signal });
      const height = box.scrollHeight;
      const first = oldest === null;
      list.prepend(...found.map(line).reverse());
      oldest = found.at(-1)?.n ?? oldest;
      ended = found.length < 200;
      box.scrollTop = first ? box.scrollHeight : box.scrollTop + box.scrollHeight - height;
      note.textContent = ended ? "" : "older ones are loaded when you scroll up";
      if (list.children.length === 0) put(note, empty("No lines", "What guests write to stdout and stderr, and what Coracle has to say, appears here as it comes."));
    } catch (error) {
      fail(error);
    }
    loading = false;
  };
  older().then(() =>
    follow(`/api/logs/live?${query(values)}`, signal, ({ things }) => {
      if (paused) return;
      const follows = bottom();
      if (list.children.length === 0) note.textContent = "";
      list.append(...things.map(line));
      while (list.children.length > SHOWN && follows) {
        list.firstChild.remove();
        oldest = Number(list.firstChild?.dataset.n ?? oldest);
        ended = false;
      }
      if (follows) box.scrollTop = box.scrollHeight;
    }).catch(fail),
  );
  box.addEventListener("scroll", () => {
    if (box.scrollTop < 200) older();
  });
  let soon;
  const apply = () => go("logs", Object.fromEntries(new FormData(filters)));
  filters.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(apply, 250);
  });
  filters.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  const pause = filters.querySelector("[data-pause]");
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    put(pause, icon(paused ? "play" : "pause"), h("span", {}, paused ? "Paused" : "Live"));
  });
  return { keys: { p: () => pause.click() } };
}
