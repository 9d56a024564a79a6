// Asks every URL of the query at once and answers with a line each, as the guests `fanout` do: `node fanout.mjs PORT`.
import { Agent, createServer, get } from "node:http";

const agent = new Agent({ keepAlive: true });

const fetched = (url) =>
  new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve(`${answer.statusCode} ${Buffer.concat(chunks)}`));
      answer.on("error", reject);
    }).on("error", reject);
  });

createServer(async (request, response) => {
  request.resume();
  const query = new URL(request.url, "http://localhost").searchParams;
  const lines = await Promise.all([...query].map(async ([name, url]) => `${name}: ${await fetched(url)}\n`));
  const body = lines.join("");
  response.writeHead(200, { "content-type": "text/plain", "content-length": Buffer.byteLength(body) });
  response.end(body);
}).listen(Number(process.argv[2]), "127.0.0.1");
