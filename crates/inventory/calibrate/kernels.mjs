// The kernels of the micro-suite in JavaScript, each with the kind of work it stands for. The same inputs as in
// src/kernels.rs. A name that is a package's is the unit a team would find; the others are in own.mjs.

import Ajv from 'ajv';
import bcrypt from 'bcryptjs';
import { XMLParser } from 'fast-xml-parser';
import Handlebars from 'handlebars';
import jwt from 'jsonwebtoken';
import { marked } from 'marked';
import { readFileSync } from 'node:fs';
import pako from 'pako';
import Papa from 'papaparse';
import QRCode from 'qrcode';
import { order, own } from './own.mjs';

const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8').trim();
const csv = Array.from({ length: 400 }, (_, i) => `${i},"name, with comma ${i}",${i * 3}.5,plain text\n`).join('');
const xml = `<list>${Array.from({ length: 200 }, (_, i) => `<item id="${i}"><name>Name ${i}</name><price>${i}.50</price></item>`).join('')}</list>`;
const markdown = '# Title\n\nSome *text* with **bold**, `code` and [links](http://example.com).\n\n- one\n- two\n  - three\n\n> quoted\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n'.repeat(20);
const validate = new Ajv().compile({ type: 'object', required: ['name', 'items'], properties: {
  name: { type: 'string', maxLength: 100 },
  items: { type: 'array', items: { type: 'object', required: ['sku', 'qty'], properties: {
    sku: { type: 'string', pattern: '^[a-z0-9-]+$' }, qty: { type: 'integer', minimum: 1, maximum: 9 }, price: { type: 'number' }, tags: { type: 'array', items: { type: 'string' } } } } } } });
const template = Handlebars.compile('<h1>{{name}}</h1>{{#each items}}<p>{{sku}}: {{qty}} at {{price}}</p>{{/each}}');
const hash = read('bcrypt.txt'), token = read('token.txt');
const parser = new XMLParser({ ignoreAttributes: false, parseAttributeValue: true });
export const kernels = {
  ...own,
  qrcode: ['numeric', () => { let out; QRCode.toString('https://example.com/a/rather/long/address?with=a&query=string', { type: 'svg' }, (_, svg) => { out = svg; }); return out; }],
  papaparse: ['text', () => Papa.parse(csv).data.length],
  'fast-xml-parser': ['text', () => parser.parse(xml).list.item.length],
  bcryptjs: ['crypto', () => bcrypt.compareSync('secret', hash)],
  jsonwebtoken: ['crypto', () => jwt.verify(token, 'secret', { ignoreExpiration: true })],
  pako: ['compress', () => pako.gzip(csv).length],
  marked: ['markdown', () => marked.parse(markdown).length],
  ajv: ['schema', () => validate(order)],
  handlebars: ['template', () => template(order).length],
};
