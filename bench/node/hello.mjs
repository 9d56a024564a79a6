// The answer of the guests `hello` from Node's own HTTP server: `node hello.mjs PORT`.
import { createServer } from "node:http";

createServer((request, response) => {
  // A body that is not read would hold up the connection.
  request.resume();
  response.writeHead(200, { "content-type": "text/plain", "content-length": 6 });
  response.end("hello\n");
}).listen(Number(process.argv[2]), "127.0.0.1");
