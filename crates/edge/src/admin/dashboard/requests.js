// Requests as they come, and back to the oldest that is kept: filters, a list, and one of them in detail.

import { follow, get, query } from "./api.js";
import { empty, h, icon, put } from "./dom.js";
import { bytes, clock, statusClass, statusText, us } from "./format.js";
import { below, waterfall } from "./waterfall.js";

export const title = "Requests";

/** Rows that are shown while they come; older ones are loaded when they are scrolled to. */
const SHOWN = 300;

const FILTERS = ["text", "status", "slower_ms", "method", "route", "destination", "outcome", "problems", "cold"];

function badges(row) {
  return [
    row.fallback_from ? h("span", { class: "badge warn", title: `${row.fallback_from} could not answer` }, "fallback") : null,
    row.cold ? h("span", { class: "badge info", title: "An instance was made for it" }, "cold") : null,
    row.error_type && !row.fallback_from ? h("span", { class: "badge bad" }, row.error_type) : null,
    row.calls ? h("span", { class: "badge", title: "Calls into the host that were kept" }, `${row.calls} ${row.calls === 1 ? "call" : "calls"}`) : null,
  ];
}

function line(row) {
  return h(
    "tr",
    { tabindex: -1, "data-id": row.id, "data-n": row.n, class: "link" },
    h("td", { class: "quiet time" }, clock(row.time)),
    h("td", {}, h("span", { class: ["status", statusClass(row)] }, statusText(row))),
    h("td", { class: "method" }, row.method),
    h("td", { class: "path" }, h("a", { href: `#/requests/${row.id}`, title: row.host + row.path }, row.path), h("span", { class: "badges" }, badges(row))),
    h("td", { class: "quiet to" }, row.destination ?? "–"),
    h("td", { class: "num" }, us(row.duration_us)),
    h("td", { class: "num quiet" }, row.cpu_us === null ? "–" : us(row.cpu_us)),
    h("td", { class: "num quiet" }, bytes(row.bytes_out)),
  );
}

function facts(row) {
  const all = [
    ["Time", clock(row.time)],
    ["Host", row.host],
    ["Route", row.route ?? "none"],
    ["Answered by", row.destination ?? "–"],
    row.fallback_from ? ["Tried first", row.fallback_from] : null,
    ["Head after", us(row.head_us)],
    ["Body", `${bytes(row.bytes_in)} in, ${bytes(row.bytes_out)} out`],
    row.instance !== null ? ["Instance", `#${row.instance}${row.cold ? ", made for it" : ""}`] : null,
    row.cpu_us !== null ? ["CPU time", us(row.cpu_us)] : null,
    row.wait_us ? ["Waited", us(row.wait_us)] : null,
    row.memory ? ["Memory", bytes(row.memory)] : null,
    row.kept ? ["Trace kept", row.kept.replace("_", " ")] : null,
  ];
  return h("dl", { class: "facts" }, all.filter(Boolean).map(([name, of]) => h("div", {}, h("dt", {}, name), h("dd", {}, of))));
}

async function open(box, id, signal, own) {
  box.hidden = false;
  put(box, h("p", { class: "busy" }, "…"));
  try {
    const [row, trace] = await get(`/api/requests/${id}`, { signal });
    put(
      box,
      h(
        "header",
        {},
        h("h2", {}, h("span", { class: ["status", statusClass(row)] }, statusText(row)), ` ${row.method} ${row.path} `, h("small", {}, us(row.duration_us))),
        h("a", { class: "button", href: `#/traces/${row.trace}` }, "Whole trace"),
        h("a", { class: "button icon-only", href: "#/requests", "aria-label": "Close", "data-close": true }, icon("close")),
      ),
      row.error ? h("p", { class: "error" }, row.error) : null,
      facts(row),
      waterfall(below(trace, row.id), own),
      h("p", { class: "quiet small" }, "request ", h("code", {}, row.id), " · trace ", h("code", {}, row.trace)),
    );
  } catch (error) {
    put(box, empty(error.status === 404 ? "This request is no longer kept" : "It could not be loaded", error.status === 404 ? "The oldest go when there is no more room." : error.message));
  }
}

function field(name, label, props, values) {
  return h("input", { name, "aria-label": label, placeholder: label, value: values[name] ?? "", autocomplete: "off", spellcheck: "false", ...props });
}

function choice(name, label, options, values) {
  return h("select", { name, "aria-label": label }, options.map(([value, text]) => h("option", { value, selected: (values[name] ?? "") === value }, text)));
}

function check(name, label, values) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", name, checked: values[name] === "1" }), label);
}

function form(values) {
  const extra = ["route", "destination"].filter((name) => values[name]);
  return h(
    "form",
    { class: "filters", role: "search" },
    h("span", { class: "search" }, icon("search"), field("text", "Path, host, id or error", { type: "search", "data-search": true }, values)),
    choice("status", "Status", [["", "any status"], ["2xx", "2xx"], ["3xx", "3xx"], ["4xx", "4xx"], ["5xx", "5xx"]], values),
    choice("method", "Method", [["", "any method"], ["GET", "GET"], ["POST", "POST"], ["PUT", "PUT"], ["PATCH", "PATCH"], ["DELETE", "DELETE"]], values),
    field("slower_ms", "slower than … ms", { type: "number", min: 0, step: "any" }, values),
    check("problems", "problems", values),
    check("cold", "cold", values),
    extra.map((name) => h("button", { type: "button", class: "chip", "data-drop": name, title: `Drop the filter ${name}` }, `${name}: ${values[name]}`, icon("close"))),
    h("span", { class: "grow" }),
    h("button", { type: "button", class: "button", "data-pause": true, "aria-pressed": "false" }, icon("pause"), h("span", {}, "Live")),
  );
}

export function mount(root, { id, params }, { signal, fail, own, go }) {
  const values = Object.fromEntries(FILTERS.map((name) => [name, params.get(name) ?? ""]));
  const filters = form(values);
  const body = h("tbody", {});
  const note = h("p", { class: "quiet small foot", role: "status" });
  const names = [["Time", ""], ["Status", ""], ["Method", ""], ["Path", ""], ["Answered by", ""], ["Took", "num"], ["CPU", "num"], ["Bytes", "num"]];
  const table = h("table", { class: "requests" }, h("thead", {}, h("tr", {}, names.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))), body);
  const list = h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Requests" }, table, note);
  const side = h("aside", { class: "side", "aria-label": "One request", hidden: true });
  const split = h("div", { class: "split" }, list, side);
  put(root, filters, split);

  let paused = false;
  let oldest = null;
  let ended = false;
  let loading = false;
  let skipped = 0;
  let rows = 0;

  const mark = () => {
    body.querySelectorAll("tr[aria-selected]").forEach((row) => row.removeAttribute("aria-selected"));
    const row = id && body.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
    row?.setAttribute("aria-selected", "true");
  };
  const say = () => {
    const what = rows === 0 ? "" : `${rows} shown${ended ? ", no older ones kept" : ""}`;
    note.textContent = skipped ? `${what}; ${skipped} came too fast to be shown` : what;
    if (rows === 0 && ended) put(note, empty("No request matches", "New ones appear here as they come."));
  };
  const older = async () => {
    if (loading || ended) return;
    loading = true;
    try {
      const found = await get(`/api/requests?${query({ ...values, limit: 100, before: oldest })}`, { signal });
      body.append(...found.map(line));
      rows += found.length;
      oldest = found.at(-1)?.n ?? oldest;
      ended = found.length < 100;
      mark();
      say();
    } catch (error) {
      fail(error);
    }
    loading = false;
  };
  const take = ({ things, skipped: lost }) => {
    if (paused || list.scrollTop > 40) {
      skipped += things.length + lost;
      return;
    }
    skipped += lost;
    body.prepend(...things.map(line).reverse());
    rows += things.length;
    while (rows > SHOWN && body.lastChild) {
      body.lastChild.remove();
      rows -= 1;
      ended = false;
    }
    oldest = Number(body.lastChild?.dataset.n ?? oldest);
    mark();
    say();
  };

  older().then(() => follow(`/api/requests/live?${query(values)}`, signal, take).catch(fail));
  list.addEventListener("scroll", () => {
    if (list.scrollTop + list.clientHeight > list.scrollHeight - 400) older();
  });
  const show = (next) => {
    id = next;
    split.classList.toggle("open", Boolean(next));
    mark();
    if (next) open(side, next, signal, own);
    else side.hidden = true;
  };
  const apply = () => {
    const form = new FormData(filters);
    const given = { ...values };
    for (const name of ["text", "status", "method", "slower_ms"]) given[name] = form.get(name) ?? "";
    for (const name of ["problems", "cold"]) given[name] = form.has(name) ? "1" : "";
    go("requests", given);
  };
  let soon;
  filters.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(apply, 250);
  });
  filters.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  filters.addEventListener("click", (event) => {
    const drop = event.target.closest("[data-drop]");
    if (drop) go("requests", { ...values, [drop.dataset.drop]: "" });
    const pause = event.target.closest("[data-pause]");
    if (pause) {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      put(pause, icon(paused ? "play" : "pause"), h("span", {}, paused ? "Paused" : "Live"));
    }
  });
  const select = (row) => {
    if (!row) return;
    history.replaceState(null, "", `#/requests/${row.dataset.id}?${query(values)}`);
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    show(row.dataset.id);
  };
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    select(row);
  });
  side.addEventListener("click", (event) => {
    if (!event.target.closest("[data-close]")) return;
    event.preventDefault();
    keys.Escape();
  });
  const move = (step) => {
    const current = body.querySelector("tr[aria-selected]");
    select(current ? (step > 0 ? current.nextElementSibling : current.previousElementSibling) : body.firstElementChild);
  };
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    p: () => filters.querySelector("[data-pause]").click(),
    Escape: () => {
      history.replaceState(null, "", `#/requests?${query(values)}`);
      show(null);
    },
  };
  if (id) show(id);
  return { keys };
}
