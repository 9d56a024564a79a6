// Rollouts: which share the new version of a route has, at which step it is, and what the verdict says.

import { get } from "./api.js";
import { meter } from "./charts.js";
import { empty, h, put } from "./dom.js";
import { ago } from "./format.js";

export const title = "Rollouts";

const TONES = { promoted: "good", rolling_back: "bad", rolled_back: "bad", holding: "warn", frozen: "warn", superseded: "" };

const share = (basisPoints) => `${(basisPoints / 100).toFixed(basisPoints % 100 ? 2 : 0)} %`;

function steps(rollout) {
  return h(
    "ol",
    { class: "steps", "aria-label": "Steps" },
    rollout.steps.map((step, at) => h("li", { class: at < rollout.step ? "past" : at === rollout.step ? "now" : "", "aria-current": at === rollout.step ? "step" : null }, step)),
  );
}

/** One rollout, as `/v1/rollouts` tells it. */
function view(rollout) {
  const phase = typeof rollout.phase === "string" ? rollout.phase : Object.keys(rollout.phase ?? {})[0] ?? "?";
  return h(
    "article",
    { class: ["panel", !rollout.current && "over"] },
    h(
      "header",
      {},
      h("h2", {}, rollout.route || rollout.app),
      h("span", { class: ["badge", TONES[phase] ?? "info"] }, phase.replaceAll("_", " ")),
      rollout.breaker_open ? h("span", { class: "badge bad", title: "Too many requests of the new version failed in a row: it gets probes only" }, "breaker open") : null,
      rollout.shadow ? h("span", { class: "badge", title: "Requests that are copied to the new version" }, `shadow ${share(rollout.shadow)}`) : null,
      h("span", { class: "grow" }),
      h("span", { class: "quiet small" }, `for ${ago(Math.max(Date.now() - rollout.since, 0) / 1000)}`),
    ),
    h("p", {}, h("code", {}, rollout.old), " → ", h("code", {}, rollout.new), h("strong", {}, ` ${share(rollout.share)}`), " of the requests go to the new version"),
    meter(rollout.share / 10_000, `share of the new version of ${rollout.route}`),
    steps(rollout),
    rollout.explanation ? h("p", { class: "hint" }, rollout.explanation) : null,
    rollout.reason ? h("p", { class: "quiet" }, rollout.reason) : null,
    h("p", { class: "quiet small" }, "rollout ", h("code", {}, rollout.id)),
  );
}

export function mount(root, _, { signal, fail }) {
  const look = async () => {
    try {
      const { rollouts } = await get("/v1/rollouts", { signal });
      const sorted = [...rollouts].sort((left, right) => Number(right.current) - Number(left.current) || right.created - left.created);
      put(root, sorted.length ? sorted.map(view) : empty("No rollout is running", "When a route goes from one version to another, its share, its steps and the verdict are shown here. coracle rollout start begins one."));
    } catch (error) {
      fail(error);
    }
  };
  look();
  const timer = setInterval(look, 2000);
  return () => clearInterval(timer);
}
