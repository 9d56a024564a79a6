// What the bench moves to TypeScript: the packages people use for it in Node, none of which needs anything native.
// bench/node/work.mjs does the same with the same packages.

import Ajv from "ajv";
import { importJWK, jwtVerify } from "jose";
import jpeg from "jpeg-js";
import { marked } from "marked";

const SECRET = new TextEncoder().encode("a secret of the bench that is 32");
const PUBLIC_KEY =
  {"kty":"RSA","n":"zLw4oI56UK7_v-kSynTgKyL3wVQyec_vB1-RaUGD126bVoHNdTO1yR5LVB6_RfVfVVxtU4tAwt7zo3we_cDQzCuOerz9ZZXl_Y-LslQSwwBlAn8tq2DMy0wh7NjTfoJBkxChC2oQraa9keg1YTrVgoSDo3P8nEOPBA0Gs1ea99TH9mMNM_c_djd8HLjFGsRvkpQGr-YUIVjMn2_EiNiJ62QjMenjj1dQA9wK72IJ8-mj8tIpbn6QDMIhUfO-3VZhUvB1XTLDnIn_OcRrsDURYKo-V_YUt2lsOXbJOwlv629ifHzoCa8bCEXff5i7JQqiNMdtKV2ssgUSVyUCz3Zohw","e":"AQAB"};
const SCHEMA =
  {"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["id","customer","items","total"],"additionalProperties":false,"properties":{"id":{"type":"string","pattern":"^[A-Z]{2}-[0-9]{6}$"},"total":{"type":"integer","minimum":0},"note":{"type":"string","maxLength":500},"customer":{"type":"object","required":["name","email"],"additionalProperties":false,"properties":{"name":{"type":"string","minLength":1,"maxLength":100},"email":{"type":"string","pattern":"^[^@ ]+@[^@ ]+$"},"address":{"$ref":"#/definitions/address"}}},"items":{"type":"array","minItems":1,"maxItems":100,"items":{"type":"object","required":["sku","quantity","price"],"additionalProperties":false,"properties":{"sku":{"type":"string","pattern":"^[a-z0-9-]+$"},"quantity":{"type":"integer","minimum":1,"maximum":999},"price":{"type":"integer","minimum":0},"tags":{"type":"array","items":{"enum":["new","sale","gift"]},"uniqueItems":true}}}}},"definitions":{"address":{"type":"object","required":["street","city","country"],"properties":{"street":{"type":"string"},"city":{"type":"string"},"zip":{"type":"string"},"country":{"type":"string","minLength":2,"maxLength":2}}}}};
const EDGE = 256;
const QUALITY = 80;

// Compiled when the module is loaded, which for a component is when it is built.
const follows = new Ajv().compile(SCHEMA);

export const document = (): string =>
  JSON.stringify({
    items: Array.from({ length: 214 }, (_, index) => ({
      id: index,
      name: `part ${index}`,
      price: (index * 37) % 1000,
      stock: index % 7 !== 0,
      tags: ["bench", index % 2 ? "odd" : "even"],
    })),
  });

// Read when it is first needed: StarlingMonkey's WebCrypto refuses it.
let publicKey: ReturnType<typeof importJWK> | undefined;

export async function verify(token: string): Promise<string> {
  const rsa = token.startsWith("eyJhbGciOiJSUzI1NiI");
  const key = rsa ? await (publicKey ??= importJWK(PUBLIC_KEY, "RS256")) : SECRET;
  const { payload } = await jwtVerify(token, key, { algorithms: ["HS256", "RS256"] });
  return String(payload.sub);
}

export const validate = (document: string): boolean => follows(JSON.parse(document));

export const markdown = (text: string): string => marked.parse(text, { async: false });

export function thumbnail(source: Uint8Array): Uint8Array {
  const { width, height, data } = jpeg.decode(source, { useTArray: true, maxMemoryUsageInMB: 256 });
  const scale = EDGE / Math.max(width, height);
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  const small = new Uint8Array(w * h * 4);
  // Each pixel is the mean of those it stands for.
  for (let y = 0; y < h; y++) {
    const [top, bottom] = [Math.floor((y * height) / h), Math.max(Math.floor(((y + 1) * height) / h), 1)];
    for (let x = 0; x < w; x++) {
      const [left, right] = [Math.floor((x * width) / w), Math.max(Math.floor(((x + 1) * width) / w), 1)];
      let [r, g, b] = [0, 0, 0];
      for (let j = top; j < bottom; j++) {
        for (let i = left; i < right; i++) {
          const at = (j * width + i) * 4;
          r += data[at];
          g += data[at + 1];
          b += data[at + 2];
        }
      }
      const count = (bottom - top) * (right - left);
      small.set([r / count, g / count, b / count, 255], (y * w + x) * 4);
    }
  }
  return jpeg.encode({ data: small, width: w, height: h }, QUALITY).data;
}
