// Profiles: where guests spend their CPU time, as a flame graph.

import { get } from "./api.js";
import { empty, h, icon, put } from "./dom.js";
import { count, percent } from "./format.js";

export const title = "Profiles";

const ROW = 22;

/** Stacks with their weights, put together as a tree. */
export function flame(profile) {
  const root = { name: "all", weight: 0, children: new Map() };
  for (const { component, frames, weight } of profile.stacks) {
    root.weight += weight;
    let node = root;
    for (const name of [component, ...frames.map((frame) => profile.frames[frame])]) {
      if (!node.children.has(name)) node.children.set(name, { name, weight: 0, children: new Map() });
      node = node.children.get(name);
      node.weight += weight;
    }
  }
  return root;
}

function hue(name) {
  let n = 0;
  for (const c of name) n = (n * 31 + c.codePointAt(0)) % 997;
  return 15 + (n % 40);
}

function graph(root, box, total) {
  const deep = (node) => 1 + Math.max(0, ...[...node.children.values()].map(deep));
  const parts = [];
  const place = (node, left, width, depth) => {
    parts.push(
      h(
        "button",
        {
          type: "button",
          class: "frame",
          title: `${node.name}: ${count(node.weight)} samples, ${percent(node.weight, total)}`,
          style: { left: `${left}%`, width: `${width}%`, top: `${depth * ROW}px`, "--hue": hue(node.name) },
          onclick: () => graph(node, box, total),
        },
        width > 1.5 ? node.name : "",
      ),
    );
    let at = left;
    for (const child of [...node.children.values()].sort((a, b) => b.weight - a.weight)) {
      const share = (child.weight / node.weight) * width;
      if (share > 0.1) place(child, at, share, depth + 1);
      at += share;
    }
  };
  place(root, 0, 100, 0);
  box.style.height = `${deep(root) * ROW}px`;
  put(box, parts);
}

/** The profile as speedscope reads it. */
export function speedscope(profile) {
  return {
    $schema: "https://www.speedscope.app/file-format-schema.json",
    shared: { frames: profile.frames.map((name) => ({ name })) },
    profiles: profile.components.map((component) => {
      const stacks = profile.stacks.filter((stack) => stack.component === component);
      const weights = stacks.map((stack) => stack.weight * profile.interval_ms);
      const end = weights.reduce((sum, weight) => sum + weight, 0);
      return { type: "sampled", name: component, unit: "milliseconds", startValue: 0, endValue: end, samples: stacks.map((stack) => stack.frames), weights };
    }),
    exporter: "coracle",
  };
}

function save(profile) {
  const file = new Blob([JSON.stringify(speedscope(profile))], { type: "application/json" });
  const link = h("a", { href: URL.createObjectURL(file), download: "coracle.speedscope.json" });
  link.click();
  URL.revokeObjectURL(link.href);
}

export function mount(root, _, { signal, fail }) {
  const length = h("select", { "aria-label": "For how long" }, [5, 10, 30].map((n) => h("option", { value: n }, `${n} seconds`)));
  const begin = h("button", { type: "button", class: "button primary" }, icon("play"), "Take a profile");
  const keep = h("button", { type: "button", class: "button", hidden: true }, "Save for speedscope");
  const box = h("div", { class: "flame", role: "region", "aria-label": "Flame graph" });
  const note = h("div", { role: "status" }, empty("No profile has been taken", "While one is taken, a running guest is asked about once a millisecond of its CPU time which function it is in. Idle guests cost and show nothing."));
  let profile;
  put(root, h("section", { class: "panel" }, h("div", { class: "filters" }, length, begin, keep), note, h("div", { class: "scroll" }, box)));
  begin.addEventListener("click", async () => {
    begin.disabled = true;
    put(note, h("p", { class: "busy" }, `Sampling for ${length.value} seconds …`));
    put(box);
    box.style.height = "0";
    try {
      profile = await get(`/api/profile?seconds=${length.value}`, { signal });
      const tree = flame(profile);
      put(note, tree.weight ? h("p", { class: "quiet" }, `${count(tree.weight)} samples of ${profile.components.join(", ")}. Click on a function to look into it, on the top one to come back.`) : empty("No guest was computing", "Send requests meanwhile, and take another profile."));
      if (tree.weight) graph(tree, box, tree.weight);
      keep.hidden = !tree.weight;
      box.addEventListener("click", (event) => {
        if (event.target === box.firstElementChild) graph(tree, box, tree.weight);
      });
    } catch (error) {
      put(note);
      fail(error);
    }
    begin.disabled = false;
  });
  keep.addEventListener("click", () => save(profile));
}
