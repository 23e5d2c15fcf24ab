import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const spec = read('scheduler/SPEC.md');

/** `file › words of a title`, as the page writes them; a line may end in the middle. */
const references = [...spec.matchAll(/`(test\/[^`]+\.ts) › ([^`]+)`/g)].map(([, file = '', title = '']) => ({
  file,
  title: title.replace(/\s+/g, ' '),
}));

describe('SPEC.md', () => {
  it('names a test for every invariant', () => {
    const rows = spec.split('\n').flatMap((line) => /^\| I(\d+) +\|/.exec(line) ?? []);
    const numbers = [...spec.matchAll(/^\| I(\d+) +\|.*› /gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(numbers.length * 2).toBe(rows.length);
    expect(numbers.length).toBeGreaterThan(20);
  });

  it.each(references.map(({ file, title }) => [`${file} › ${title}`, file, title]))(
    '%s is there',
    (_, file, title) => {
      expect(read(file)).toContain(title);
    },
  );
});
