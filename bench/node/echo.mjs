// The request's body, streamed back: `node echo.mjs PORT`.
import { createServer } from "node:http";

createServer((request, response) => {
  response.writeHead(200, { "content-type": request.headers["content-type"] ?? "text/plain" });
  request.pipe(response);
}).listen(Number(process.argv[2]), "127.0.0.1");
