// The way to the listener: JSON with the token, and streams of events.

const KEY = "coracle-token";

/** There is no token, or another one is needed. */
export class Locked extends Error {}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
};

async function ask(path, options = {}) {
  const held = token.get();
  if (!held) throw new Locked();
  const headers = { ...options.headers, authorization: `Bearer ${held}` };
  const response = await fetch(path, { ...options, headers });
  if (response.status === 401 || response.status === 403) throw new Locked();
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail ?? `the listener answered ${response.status}`), { status: response.status });
  }
  return response;
}

/** The JSON of a path. */
export async function get(path, options) {
  return (await ask(path, options)).json();
}

/** Calls `take` with each event of a path, until the signal ends it. Comes back by itself when the stream breaks. */
export async function follow(path, signal, take, state = () => {}) {
  while (!signal.aborted) {
    try {
      const response = await ask(path, { signal });
      state(true);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        let end;
        while ((end = text.indexOf("\n\n")) >= 0) {
          const event = text.slice(0, end);
          text = text.slice(end + 2);
          if (event.startsWith("data: ")) take(JSON.parse(event.slice(6)));
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Locked) throw error;
    }
    state(false);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** A query of what is not empty. */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  return new URLSearchParams(given.map(([key, value]) => [key, value === true ? "1" : String(value)])).toString();
}
