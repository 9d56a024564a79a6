// Product descriptions. `/catalogue/:sku.md` is the markdown itself, for the describe component, and not routed from
// outside; `/api/describe/:sku` is the HTML as Node makes it, kept as the fallback for that component.

import express from 'express';
import { Marked } from 'marked';
import { FilterXSS } from 'xss';
import { description } from './files.js';
import { Refusal } from './refusal.js';

const marked = new Marked({ gfm: true });
const allowed = { a: ['href', 'title'], ol: ['start'], td: ['align'], th: ['align'] };
const plain = 'blockquote br code del em h2 h3 h4 hr li p pre strong table tbody thead tr ul';
const filter = new FilterXSS({
  whiteList: { ...allowed, ...Object.fromEntries(plain.split(' ').map((tag) => [tag, []])) },
  stripIgnoreTag: true,
  stripIgnoreTagBody: ['script', 'style', 'iframe'],
});

export const sources = express.Router();

sources.get('/:file', async (request, response) => {
  const markdown = await description(request.params.file.replace(/\.md$/, ''));
  if (markdown === null) throw Refusal.noSuchPage();
  response.type('text/markdown').send(markdown);
});

export const describe = express.Router();

describe.use(async (request, response) => {
  const sku = /^\/([a-z0-9-]{1,64})\/?$/.exec(request.path)?.[1];
  if (!sku) throw Refusal.noSuchPage();
  if (request.method !== 'GET' && request.method !== 'HEAD') throw Refusal.method('GET, HEAD');
  const markdown = await description(sku);
  if (markdown === null) throw new Refusal(404, 'unknown_sku', `there is no description of "${sku}"`);
  response.set('cache-control', 'public, max-age=60').type('html').send(filter.process(marked.parse(markdown)));
});
