// Markdown to HTML that is safe to put into the page: marked renders, then everything that is not on the list below
// is taken out. The buyers write the descriptions, and buyers paste from anywhere.

import { Marked } from 'marked';
import { FilterXSS } from 'xss';

const marked = new Marked({ gfm: true });

const filter = new FilterXSS({
  whiteList: {
    a: ['href', 'title'],
    blockquote: [],
    br: [],
    code: [],
    del: [],
    em: [],
    h2: [],
    h3: [],
    h4: [],
    hr: [],
    li: [],
    ol: ['start'],
    p: [],
    pre: [],
    strong: [],
    table: [],
    tbody: [],
    td: ['align'],
    th: ['align'],
    thead: [],
    tr: [],
    ul: [],
  },
  stripIgnoreTag: true,
  stripIgnoreTagBody: ['script', 'style', 'iframe'],
});

export function render(markdown: string): string {
  return filter.process(marked.parse(markdown, { async: false }) as string);
}
