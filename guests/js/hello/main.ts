// A fetch event listener in TypeScript, which StarlingMonkey serves as wasi:http/incoming-handler of WASI 0.2. Routes:
//   /          200, text/plain, "hello\n"
//   /echo      the request body, streamed, with its content-type
//   /out?url=  fetches URL: "STATUS BODY"; 502 and the error's text when that fails
//   /sleep?ms= answers after a timer
//   /throw     an uncaught error

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Response | Promise<Response>): void;
}

const text = (status: number, body: string): Response =>
  new Response(body, { status, headers: { "content-type": "text/plain" } });

async function out(url: string | null): Promise<Response> {
  if (url === null) return text(400, "use /out?url=URL");
  try {
    const response = await fetch(url);
    return text(200, `${response.status} ${await response.text()}`);
  } catch (error) {
    return text(502, String(error));
  }
}

function echo(request: Request): Response {
  const headers = new Headers();
  const type = request.headers.get("content-type");
  if (type !== null) headers.set("content-type", type);
  return new Response(request.body, { headers });
}

async function sleep(ms: number): Promise<Response> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return text(200, "slept\n");
}

async function serve(request: Request): Promise<Response> {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/":
      return text(200, "hello\n");
    case "/echo":
      return echo(request);
    case "/out":
      return out(url.searchParams.get("url"));
    case "/sleep":
      return sleep(Number(url.searchParams.get("ms") ?? "100"));
    case "/throw":
      throw new Error("on purpose");
    default:
      return text(404, `no such route: ${url.pathname}`);
  }
}

addEventListener("fetch", (event: Event) => {
  const fetchEvent = event as FetchEvent;
  fetchEvent.respondWith(serve(fetchEvent.request));
});
