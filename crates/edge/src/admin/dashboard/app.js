// The frame around the pages: which one is shown, the token, the theme, the keys.

import { get, Locked, query, token } from "./api.js";
import * as components from "./components.js";
import { h, icon, put } from "./dom.js";
import * as logs from "./logs.js";
import * as overview from "./overview.js";
import * as profiles from "./profiles.js";
import * as requests from "./requests.js";
import * as rollouts from "./rollouts.js";
import * as traces from "./traces.js";

const PAGES = { overview, requests, traces, logs, components, rollouts, profiles };
const THEME = "coracle-theme";
const app = document.getElementById("app");

let current = null;
let own = "";

// A link with the token in its fragment, which no server ever sees, opens the dashboard.
function adopt() {
  const given = /^#token=([^&]+)/.exec(location.hash);
  if (!given) return;
  token.set(decodeURIComponent(given[1]));
  history.replaceState(null, "", "#/overview");
}

function theme(next) {
  const root = document.documentElement;
  if (next) localStorage.setItem(THEME, next);
  const chosen = localStorage.getItem(THEME);
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "dark" : "light";
  return dark;
}

function login(wrong) {
  current?.leave();
  current = null;
  const field = h("input", { type: "password", name: "token", autocomplete: "off", required: true, "aria-label": "Token", placeholder: "Token" });
  const form = h(
    "form",
    { class: "login panel" },
    h("img", { src: "/icon.svg", alt: "", width: 56, height: 56 }),
    h("h1", {}, "Coracle"),
    h("p", {}, "This page shows everybody's requests, so it asks for the token of the process. It stands in the file that is named when ", h("code", {}, "coracle up"), " starts, most often ", h("code", {}, ".coracle/admin-token"), "."),
    field,
    wrong ? h("p", { class: "error", role: "alert" }, "This is not the token of this process.") : null,
    h("button", { class: "button primary" }, "Open"),
    h("p", { class: "quiet small" }, h("code", {}, "coracle observe open"), " prints a link that brings the token along."),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(field.value.trim());
    start(true);
  });
  put(app, h("main", { id: "main", class: "center" }, form));
  field.focus();
}

function help() {
  const keys = [["1 … 7", "the pages"], ["/", "to the search"], ["j k", "down and up in a list"], ["p", "pause what is live"], ["Esc", "close"], ["t", "dark or light"], ["?", "this"]];
  const box = h("dialog", { class: "panel", "aria-label": "Keys" }, h("h2", {}, "Keys"), h("dl", { class: "keys" }, keys.map(([key, what]) => h("div", {}, h("dt", {}, key.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, what)))), h("form", { method: "dialog" }, h("button", { class: "button" }, "Close")));
  document.body.append(box);
  box.addEventListener("close", () => box.remove());
  box.showModal();
}

function frame(data) {
  const dark = theme();
  const link = (name, at) => h("a", { href: `#/${name}`, "data-page": name, title: `${PAGES[name].title} (${at + 1})` }, icon(name), h("span", {}, PAGES[name].title));
  const heading = h("h1", {}, "");
  const state = h("span", { class: "state", role: "status" });
  const toggle = h("button", { type: "button", class: "button icon-only", "aria-label": "Dark or light", "data-theme-toggle": true }, icon(dark ? "sun" : "moon"));
  toggle.addEventListener("click", () => put(toggle, icon(theme(theme() ? "light" : "dark") ? "sun" : "moon")));
  const root = h("div", { class: "page" });
  put(
    app,
    h("nav", { "aria-label": "Pages" }, h("a", { href: "#/overview", class: "brand" }, h("img", { src: "/icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, "Coracle")), Object.keys(PAGES).map(link), h("span", { class: "grow" }), h("span", { class: "quiet small app-name" }, data.app)),
    h("div", { class: "body" }, h("header", { class: "top" }, heading, state, h("span", { class: "grow" }), h("button", { type: "button", class: "button icon-only", "aria-label": "Keys", onclick: help }, icon("help")), toggle), h("main", { id: "main" }, root)),
  );
  return { root, heading, state };
}

function health(view, data, error) {
  const [tone, text] = error ? ["bad", "the process does not answer"] : data.ready ? ["good", "ready"] : ["warn", data.reasons.join("; ")];
  put(view.state, h("span", { class: ["dot", tone] }), text);
}

function leave() {
  const { abort, end } = current ?? {};
  abort?.abort();
  end?.();
}

let view = null;

function show() {
  if (!view) return;
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id] = path.split("/");
  const page = PAGES[name] ?? overview;
  const shown = PAGES[name] ? name : "overview";
  leave();
  const abort = new AbortController();
  const fail = (error) => {
    if (error.name === "AbortError" || abort.signal.aborted) return;
    if (error instanceof Locked) login(true);
    else health(view, null, error);
  };
  const go = (to, values) => {
    location.hash = `#/${to}?${query(values)}`;
  };
  view.heading.textContent = page.title;
  document.title = `${page.title} – Coracle`;
  for (const link of app.querySelectorAll("nav [data-page]")) {
    if (link.dataset.page === shown) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const focused = document.activeElement?.closest(".filters") ? document.activeElement.name : null;
  const caret = focused ? document.activeElement.selectionStart : null;
  put(view.root);
  view.root.className = `page ${shown}`;
  const mounted = page.mount(view.root, { id: id ? decodeURIComponent(id) : null, params: new URLSearchParams(search) }, { signal: abort.signal, fail, go, own });
  current = { abort, end: typeof mounted === "function" ? mounted : mounted?.end, keys: mounted?.keys ?? {}, leave };
  if (focused) {
    const field = view.root.querySelector(`.filters [name="${focused}"]`);
    field?.focus();
    if (caret !== null && field?.setSelectionRange && field.type !== "number") field.setSelectionRange(caret, caret);
  }
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches?.("input, select, textarea");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else current?.keys.Escape?.();
    return;
  }
  if (typing || !current || document.querySelector("dialog[open]")) return;
  const page = Object.keys(PAGES)[Number(event.key) - 1];
  const handler = current.keys[event.key];
  if (page) location.hash = `#/${page}`;
  else if (event.key === "/") view.root.querySelector("[data-search]")?.focus();
  else if (event.key === "t") app.querySelector("[data-theme-toggle]").click();
  else if (event.key === "?") help();
  else if (handler) handler();
  else return;
  event.preventDefault();
}

async function start(tried) {
  try {
    const data = await get("/api/overview");
    own = data.service;
    view = frame(data);
    health(view, data);
    if (!location.hash) history.replaceState(null, "", "#/overview");
    show();
    setInterval(async () => {
      try {
        health(view, await get("/api/overview"));
      } catch (error) {
        if (error instanceof Locked) login(true);
        else health(view, null, error);
      }
    }, 10_000);
  } catch (error) {
    if (error instanceof Locked) login(tried);
    else put(app, h("main", { id: "main", class: "center" }, h("p", { class: "error", role: "alert" }, error.message)));
  }
}

adopt();
theme();
addEventListener("hashchange", show);
addEventListener("keydown", press);
start(Boolean(token.get()));
