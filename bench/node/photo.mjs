// A JPEG of about 200 KB that is the same each time and costs as much to decode as a photograph: `node photo.mjs FILE`.
import { writeFileSync } from "node:fs";
import jpeg from "jpeg-js";

const [width, height] = [1024, 768];
const data = Buffer.alloc(width * height * 4, 255);
let seed = 42;
const noise = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
for (let y = 0; y < height; y++) {
  for (let x = 0; x < width; x++) {
    const wave = Math.sin(x / 37) * Math.cos(y / 29) * 60 + Math.sin((x + y) / 5) * 15 + noise() * 26;
    const at = (y * width + x) * 4;
    data[at] = 128 + wave;
    data[at + 1] = 110 + wave * 0.7 + (y / height) * 60;
    data[at + 2] = 90 - wave * 0.5 + (x / width) * 80;
  }
}
writeFileSync(process.argv[2], jpeg.encode({ data, width, height }, 82).data);
