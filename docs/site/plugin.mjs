/**
 * What TypeDoc lacks for pages that are read on a code host as well: which pages there are is said by docs/README.md, in its order; a page is
 * called by its first heading, not by its file, and needs no front matter for it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Application, Converter, ReflectionKind } from 'typedoc';

const INDEX = new URL('../README.md', import.meta.url);

export function load(application) {
  application.on(Application.EVENT_BOOTSTRAP_END, () => {
    const links = readFileSync(INDEX, 'utf8').matchAll(/\]\(([\w./-]+\.md)\)/g);
    const pages = Array.from(links, ([, link]) => link).filter((link) => !/(?:^api|README\.md$)/.test(link));
    application.options.setValue(
      'projectDocuments',
      pages.map((page) => fileURLToPath(new URL(page, INDEX))),
    );
  });
  application.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const title = /^# (.*)/.exec(document.content[0]?.text ?? '')?.[1];
    if (title !== undefined) document.name = title.replaceAll('`', '');
  });
  // The one module of the package is the reference, beside the pages.
  application.converter.on(Converter.EVENT_CREATE_DECLARATION, (_context, declaration) => {
    if (declaration.kindOf(ReflectionKind.Module)) declaration.name = 'Reference';
  });
}
