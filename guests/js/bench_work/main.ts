// Routes: / 200 "ready\n" · /json · /jwt (a bearer token) · POST /schema, /markdown, /thumbnail with what is to be worked on.

import { document, markdown, thumbnail, validate, verify } from "./work";

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Response | Promise<Response>): void;
}

const answer = (status: number, body: string | Uint8Array): Response =>
  new Response(body, { status, headers: { "content-type": "text/plain" } });

async function jwt(request: Request): Promise<Response> {
  try {
    const token = (request.headers.get("authorization") ?? "").replace("Bearer ", "");
    return answer(200, `${await verify(token)}\n`);
  } catch (error) {
    return answer(401, String(error));
  }
}

async function serve(request: Request): Promise<Response> {
  switch (new URL(request.url).pathname) {
    case "/":
      return answer(200, "ready\n");
    case "/json":
      return answer(200, document());
    case "/jwt":
      return jwt(request);
    case "/schema": {
      const valid = validate(await request.text());
      return answer(valid ? 200 : 422, valid ? "valid\n" : "invalid\n");
    }
    case "/markdown":
      return answer(200, markdown(await request.text()));
    case "/thumbnail":
      return answer(200, thumbnail(new Uint8Array(await request.arrayBuffer())));
    default:
      return answer(404, "no such route\n");
  }
}

addEventListener("fetch", (event: Event) => {
  const fetchEvent = event as FetchEvent;
  fetchEvent.respondWith(serve(fetchEvent.request));
});
