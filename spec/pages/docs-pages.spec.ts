/**
 * What the documentation promises about itself: links lead somewhere, every page is listed, and the tables of the guide are complete.
 * The code in it is run by docs-examples.spec.ts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { CHANNELS } from '../../lib/channels.js';
import * as millrace from '../../lib/index.js';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { codeSpans, tableRows } from '../support/markdown.js';

const root = new URL('../../../', import.meta.url);
const read = (page: string): string => readFileSync(new URL(page, root), 'utf8');

/** The pages about the library: what is made from the sources, or stands under another's roof, is not looked at. */
const PAGES: readonly string[] = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(new URL('docs/', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** The anchors of a page's headings, as code hosts make them. */
function anchorsOf(markdown: string): string[] {
  return Array.from(markdown.replaceAll(/^```[^]*?^```/gm, '').matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the documentation', () => {
  for (const page of PAGES) {
    it(`${page}: its links lead somewhere`, () => {
      const text = read(page)
        .replaceAll(/^```[^]*?^```/gm, '')
        .replaceAll(/`[^`\n]*`/g, '');
      for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        const [path = '', anchor] = link.split('#');
        const target = new URL(path, new URL(page, root));
        // The API reference is made by `npm run docs`.
        if (target.href.startsWith(new URL('docs/api/', root).href)) continue;
        const file = path === '' ? new URL(page, root) : target;
        expect(existsSync(file), `${link} exists`).to.equal(true);
        if (anchor !== undefined) expect(anchorsOf(readFileSync(file, 'utf8')), link).to.include(anchor);
      }
    });
  }

  it('has a README of one screen', () => {
    expect(read('README.md').split('\n').length - 1).to.be.at.most(80);
  });

  it('lists each of its pages', () => {
    const index = read('docs/README.md');
    const missing = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md').filter(
      (page) => !index.includes(`](${page.slice('docs/'.length)})`),
    );
    expect(missing).to.deep.equal([]);
  });

  it('lists every exception with its code in the guide', () => {
    const exported = Object.values(millrace) as unknown[];
    const exceptions = exported.filter(
      (value): value is new (...values: unknown[]) => millrace.HTTPException =>
        typeof value === 'function' && value.prototype instanceof millrace.HTTPException,
    );
    const codes = exceptions.map((Exception) => {
      const { name, code } = new Exception(
        ...(Exception.name === 'IncompleteRead' ? [Buffer.alloc(0), 0] : ['', '', '', '']),
      );
      return `${name} ${code}`;
    });
    const rows = tableRows(read('docs/guide.md'), 'Errors').map(([name = '', code = '']) =>
      [...codeSpans(name), ...codeSpans(code)].join(' '),
    );
    expect(rows.toSorted()).to.deep.equal(codes.toSorted());
  });

  it('lists every channel in the guide', () => {
    const rows = tableRows(read('docs/guide.md'), 'Watching').map(([name = '']) => codeSpans(name)[0]);
    expect(rows).to.deep.equal(Object.values(CHANNELS).map((channel) => String(channel.name)));
  });

  it('names every limit and its default in the guide', () => {
    const guide = read('docs/guide.md');
    for (const [name, value] of Object.entries(DEFAULT_LIMITS))
      expect(guide).to.include(`\`${name}\` ${String(value)}`);
  });
});
