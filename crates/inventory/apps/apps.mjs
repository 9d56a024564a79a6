// Six applications of the npm registry, untouched: which version, how each is started, what it serves, and the load. They were
// chosen for what they are (servers people run, with work of their own in their routes) before the tool had seen them.
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const paragraph = 'Some *text* with **bold** words, `code`, a [link](http://example.com/page) and plain prose that goes on for a while. ';
/** A page of documentation as people write them: headings, prose, lists, a table, code. */
const page = (title, parts) => `# ${title}\n\n${Array.from({ length: parts }, (_, i) => `## Part ${i + 1}\n\n${paragraph.repeat(3)}\n\n- one\n- two\n- three with \`code\`\n\n| a | b |\n|---|---|\n| 1 | ${i} |\n\n    let x = ${i};\n\n> quoted text\n\n`).join('')}`;
const words = ['river', 'stone', 'coracle', 'paddle', 'willow', 'ash', 'tar', 'hide', 'current', 'salmon'];
const sentence = (i) => Array.from({ length: 12 }, (_, k) => words[(i * 7 + k * 3 + ((i * k) % 5)) % words.length]).join(' ');
const put = (dir, name, text) => { mkdirSync(join(dir, name, '..'), { recursive: true }); writeFileSync(join(dir, name), text); };
const cycle = (list) => (i) => list[i % list.length];

export const apps = {
  markserv: {
    version: '1.17.4',
    what: 'serves a directory of Markdown as HTML',
    moved: '/*',
    entry: 'lib/cli.js',
    content: (dir) => [1, 2, 3].forEach((i) => put(dir, `page${i}.md`, page(`Page ${i}`, 6 * i))),
    start: (port, dir) => ['lib/cli.js', relative(join(dir, '..', 'markserv-1.17.4'), dir), '-p', port, '-a', '127.0.0.1', '--livereloadport', 'false', '--browser', 'false', '--silent'],
    request: cycle(['/page1.md', '/page2.md', '/page3.md']),
    turns: 300,
  },
  'json-server': {
    version: '0.17.4',
    what: 'a REST API over a JSON file',
    moved: '/posts',
    entry: 'lib/cli/bin.js',
    content: (dir) => put(dir, 'db.json', JSON.stringify({ posts: Array.from({ length: 2000 }, (_, i) => ({ id: i + 1, title: sentence(i), body: `${sentence(i + 3)} ${sentence(i + 8)}`, author: { name: `author ${i % 40}`, mail: `a${i % 40}@example.com` }, likes: (i * 37) % 501 })) })),
    start: (port, dir) => ['lib/cli/bin.js', join(dir, 'db.json'), '-p', port, '-H', '127.0.0.1', '-q'],
    request: cycle(['/posts?q=salmon%20tar&_limit=20', '/posts?_sort=likes&_order=desc&_page=3', '/posts?author.name=author%207', '/posts?likes_gte=480&_sort=title']),
    turns: 400,
  },
  'reveal-md': {
    version: '6.1.4',
    what: 'slides from Markdown',
    moved: '/*',
    entry: 'bin/reveal-md.js',
    content: (dir) => [1, 2, 3].forEach((i) => put(dir, `deck${i}.md`, `---\ntitle: Deck ${i}\nrevealOptions:\n  transition: fade\n---\n\n${page(`Deck ${i}`, 8 * i).replaceAll('## ', '---\n\n## ')}`)),
    start: (port, dir) => ['bin/reveal-md.js', dir, '--port', port, '--host', '127.0.0.1', '--disable-auto-open'],
    request: cycle(['/deck1.md', '/deck2.md', '/deck3.md']),
    turns: 1500,
  },
  'svg-placeholder': {
    version: '2.0.0',
    what: 'placeholder images of a given size',
    moved: '/*',
    entry: 'index.js',
    content: () => {},
    start: (port) => ['-e', `require('./index.js')().listen(${port}, '127.0.0.1')`],
    request: (i) => `/${100 + (i % 50)}x${50 + (i % 30)}/ee00ee/000000`,
    turns: 4000,
  },
  raneto: {
    version: '0.16.0',
    what: 'a knowledge base of Markdown pages with search',
    moved: '/',
    entry: 'example/server.js',
    content: (dir, app) => cpSync(join(app, 'example/content'), join(dir, 'content'), { recursive: true }),
    start: () => ['example/server.js'],
    request: cycle(['/what-is-raneto', '/install/installing-raneto', '/?search=raneto', '/usage/creating-pages', '/?search=theme%20config']),
    turns: 200,
  },
  'oauth2-mock-server': {
    version: '9.3.0',
    what: 'an identity provider for tests: signs tokens',
    moved: '/token',
    entry: 'dist/oauth2-mock-server.mjs',
    content: (dir) => put(dir, 'key.pem', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' })),
    start: (port) => ['dist/oauth2-mock-server.mjs', '-p', port, '-a', '127.0.0.1'],
    request: () => ({ method: 'POST', path: '/token', type: 'application/x-www-form-urlencoded', body: 'grant_type=client_credentials&scope=read' }),
    turns: 600,
  },
};

/**
 * What the component needs beside the content: the application's own page with marks where its parts stand, made from an answer
 * of the application. A rewrite in Rust would have this as its template.
 */
export async function prepare(name, content, dir, base, ask) {
  if (name === 'reveal-md') {
    put(content, 'mark.md', '---\ntitle: "@TITLE@"\nrevealOptions:\n  mark: "@OPTIONS@"\n---\n\n@TEXT@\n');
    const { text } = await ask(base, '/mark.md');
    put(content, '.page', text.replace('"mark":"@OPTIONS@"', '@OPTIONS@').replace(/\n@TEXT@\n/, '@TEXT@'));
  }
  if (name === 'raneto') {
    const { text } = await ask(base, '/?search=raneto');
    put(content, '.page', text.replace(/(<h3 class="title">[^]*?<\/h3>)[^]*?(<\/section>)/, '$1@RESULTS@$2'));
  }
}

/** Whether the component's answer does for the application's. */
export function same(name, a, b) {
  if (name === 'json-server') return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
  if (name === 'raneto') {
    // Rankings of two search engines differ in order, and excerpts in their last word: the same pages have to be found.
    const found = (text) => [...text.matchAll(/page-title">\s*<a href="([^"]+)"/g)].map((hit) => hit[1].replace(/^https?:\/\/[^/]+/, '')).sort().join();
    return found(a) === found(b);
  }
  if (name === 'oauth2-mock-server') {
    const shape = (text) => { const { access_token: token, ...rest } = JSON.parse(text); return JSON.stringify([Object.keys(rest).sort(), Object.keys(JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))).sort(), token.split('.')[2].length]); };
    return shape(a) === shape(b);
  }
  const plain = (text) => text.replace(/\s+/g, ' ').trim();
  return plain(a) === plain(b);
}
