// Small charts, as SVG.

import { h, s } from "./dom.js";

const WIDTH = 120;

function path(values, most, height, close) {
  if (values.length === 0) return "";
  const step = WIDTH / Math.max(values.length - 1, 1);
  const at = (value) => (height - 1.5 - (value / (most || 1)) * (height - 3)).toFixed(2);
  let line = "";
  let open = false;
  values.forEach((value, index) => {
    if (value === null || value === undefined) {
      open = false;
      return;
    }
    line += `${open ? "L" : "M"}${(index * step).toFixed(2)},${at(value)}`;
    open = true;
  });
  return close && values.every((value) => value !== null && value !== undefined)
    ? `${line}L${WIDTH},${height}L0,${height}Z`
    : line;
}

/** A line over time; with a second one in the colour of errors. `label` says it in words. */
export function spark(values, { errors, height = 28, label = "", tone = "" } = {}) {
  const known = values.filter((value) => value !== null && value !== undefined);
  const most = Math.max(...known, 0);
  const area = errors ? values.map((value) => value ?? 0) : values;
  return s(
    "svg",
    { class: ["spark", tone], viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("path", { class: "area", d: path(area, most, height, true) }),
    s("path", { class: "line", d: path(area, most, height, false) }),
    errors && errors.some((value) => value > 0) ? s("path", { class: "errors", d: path(errors, most, height, true) }) : null,
  );
}

/** How much of something is taken, from 0 to 1. */
export function meter(share, label) {
  const level = share > 0.9 ? "bad" : share > 0.7 ? "warn" : "good";
  const width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return h(
    "div",
    { class: "meter", role: "meter", "aria-valuenow": Math.round(share * 100), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": label },
    h("span", { class: level, style: { width } }),
  );
}
