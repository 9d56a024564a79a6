// Rollouts: versions beside each other, what is known of them, and what was decided.

import { get } from "./api.js";
import { meter } from "./charts.js";
import { empty, h, put } from "./dom.js";
import { clock, count, percent, us } from "./format.js";

export const title = "Rollouts";

/** One rollout, as `/api/rollouts` tells it: `{ name, state, verdict, reason, weight, since, arms: [{ version, requests, errors, p95_us }] }`. */
function view(rollout) {
  return h(
    "article",
    { class: "panel" },
    h("header", {}, h("h2", {}, rollout.name), h("span", { class: ["badge", { promoted: "good", aborted: "bad" }[rollout.state] ?? "info"] }, rollout.state), h("span", { class: "quiet small grow" }, rollout.reason ?? "")),
    meter(rollout.weight ?? 0, `share of ${rollout.name}`),
    h("table", {}, h("thead", {}, h("tr", {}, [["Version", ""], ["Requests", "num"], ["Errors", "num"], ["p95", "num"]].map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))), h("tbody", {}, (rollout.arms ?? []).map((arm) => h("tr", {}, h("td", {}, h("code", {}, arm.version)), h("td", { class: "num" }, count(arm.requests)), h("td", { class: "num" }, percent(arm.errors, arm.requests)), h("td", { class: "num" }, us(arm.p95_us)))))),
    rollout.since ? h("p", { class: "quiet small" }, `since ${clock(rollout.since)}`) : null,
  );
}

export function mount(root, _, { signal, fail }) {
  const look = async () => {
    try {
      const rollouts = await get("/api/rollouts", { signal });
      put(root, rollouts.length ? rollouts.map(view) : empty("No rollout is running", "When two versions of a component share its requests, their shares, errors and verdicts are shown here."));
    } catch (error) {
      fail(error);
    }
  };
  look();
  const timer = setInterval(look, 5000);
  return () => clearInterval(timer);
}
