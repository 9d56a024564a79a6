// Figures as people read them.

/** Microseconds. */
export function us(n) {
  if (n === null || n === undefined) return "–";
  if (n < 1) return `${n.toFixed(2)} µs`;
  if (n < 1000) return `${Math.round(n)} µs`;
  if (n < 10_000) return `${(n / 1000).toFixed(2)} ms`;
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 100_000 ? 1 : 0)} ms`;
  return `${(n / 1e6).toFixed(2)} s`;
}

/** Seconds. */
export const seconds = (n) => (n === null || n === undefined ? "–" : us(n * 1e6));

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) {
    n /= 1024;
    at += 1;
  }
  return `${at === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[at]}`;
}

export function count(n) {
  if (n === null || n === undefined) return "–";
  if (n < 10_000) return Math.round(n).toLocaleString("en");
  if (n < 1e6) return `${(n / 1000).toFixed(n < 1e5 ? 1 : 0)} k`;
  return `${(n / 1e6).toFixed(1)} M`;
}

/** Things a second. */
export function rate(n) {
  if (!n) return "0";
  if (n < 1) return n.toFixed(2);
  return n < 100 ? n.toFixed(1) : count(n);
}

export function percent(part, whole) {
  if (!whole) return "0 %";
  const share = (part / whole) * 100;
  if (share === 0) return "0 %";
  return share < 0.1 ? "< 0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
}

/** Milliseconds since 1970, as the time of the day. */
export function clock(ms) {
  const date = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function ago(secs) {
  if (secs < 90) return `${Math.round(secs)} s`;
  if (secs < 5400) return `${Math.round(secs / 60)} min`;
  if (secs < 129_600) return `${(secs / 3600).toFixed(1)} h`;
  return `${(secs / 86_400).toFixed(1)} d`;
}

/** The class of a status, for its colour. */
export function statusClass(row) {
  if (row.outcome === "failed" || row.outcome === "truncated" || row.status >= 500) return "bad";
  if (row.outcome === "client_gone") return "gone";
  if (row.status >= 400) return "warn";
  if (row.status >= 300) return "info";
  return "good";
}

/** A status and what it means besides. */
export function statusText(row) {
  if (row.outcome === "truncated") return `${row.status} cut off`;
  if (row.outcome === "client_gone") return row.status ? `${row.status} client left` : "client left";
  return String(row.status || "–");
}
