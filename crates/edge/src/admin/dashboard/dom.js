// Elements, and nothing else: no text ever becomes markup, so that nothing a client or guest sends can.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, of] of Object.entries(value)) element.style.setProperty(name, of);
    else if (key === "class") element.setAttribute("class", Array.isArray(value) ? value.filter(Boolean).join(" ") : value);
    else if (key === "value") element.value = value;
    else if (key === "checked") element.checked = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** An element. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An element of SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Replaces what is in an element. */
export function put(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

const PATHS = {
  overview: "M3 12h4l3-8 4 16 3-8h4",
  requests: "M4 6h16M4 12h10M4 18h13",
  traces: "M4 5h9M7 10h10M11 15h9M7 20h6",
  logs: "M5 4h10l4 4v12H5zM9 12h6M9 16h6",
  components: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12L4 7.5",
  rollouts: "M5 19c6 0 8-3 8-7s2-7 6-7M5 5c3 0 5 1 6.5 3M15 4l4 1-1 4",
  profiles: "M12 3c1 4 5 6 5 11a5 5 0 01-10 0c0-2 1-3 2-4 0 2 1 3 2 3 1-3-1-6 1-10z",
  sun: "M12 4V2M12 22v-2M4 12H2M22 12h-2M6 6L4.5 4.5M19.5 19.500L18 18M6 18l-1.5 1.5M19.5 4.5L18 6M12 8a4 4 0 100 8 4 4 0 000-8z",
  moon: "M20 14A8 8 0 119.5 4a6.5 6.5 0 0010.5 10z",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l13 8-13 8z",
  close: "M6 6l12 12M18 6L6 18",
  help: "M9 9a3 3 0 114 3c-1 .5-1 1-1 2M12 18v.1M12 3a9 9 0 100 18 9 9 0 000-18z",
  search: "M10 4a6 6 0 100 12 6 6 0 000-12zM15 15l5 5",
};

/** One of our icons; decoration, so hidden from screen readers. */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: PATHS[name] ?? "" }));
}

/** What a page shows when there is nothing. */
export function empty(title, text, ...more) {
  return h("div", { class: "empty" }, h("strong", {}, title), text ? h("p", {}, text) : null, more);
}
