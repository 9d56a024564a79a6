// What the guests `bench_*` do, in Node with the same packages: `node work.mjs PORT`. work.js is guests/js/bench_work/work.ts
// without its types; `cargo xtask bench peers` makes it. /sharp is /thumbnail by libvips, as one would do it in Node.
import { createServer } from "node:http";
import sharp from "sharp";
import { document, markdown, thumbnail, validate, verify } from "./work.js";

const body = (request) =>
  new Promise((resolve, reject) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
  });

const routes = {
  "/": () => [200, "ready\n"],
  "/json": () => [200, document()],
  "/jwt": async (request) => [200, `${await verify(request.headers.authorization.replace("Bearer ", ""))}\n`],
  "/schema": async (request) => (validate((await body(request)).toString()) ? [200, "valid\n"] : [422, "invalid\n"]),
  "/markdown": async (request) => [200, markdown((await body(request)).toString())],
  "/thumbnail": async (request) => [200, Buffer.from(thumbnail(await body(request)))],
  "/sharp": async (request) => [
    200,
    await sharp(await body(request)).resize(256, 256, { fit: "inside" }).jpeg({ quality: 80 }).toBuffer(),
  ],
};

createServer(async (request, response) => {
  if (request.method === "GET") request.resume();
  try {
    const [status, text] = await routes[request.url](request);
    response.writeHead(status, { "content-type": "text/plain", "content-length": Buffer.byteLength(text) });
    response.end(text);
  } catch (error) {
    response.writeHead(401).end(String(error));
  }
}).listen(Number(process.argv[2]), "127.0.0.1");
