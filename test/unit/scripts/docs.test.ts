import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configJsonSchema } from '../../../conf/schema.ts';
import { ERROR_CODES } from '../../../model/error-codes.ts';
import { openApiDocument } from '../../../node/api/openapi.ts';
import { ROUTES } from '../../../node/api/routes/all.ts';
import { COLUMN_TYPE_FAMILIES, outcomeOf } from '../../cases/column-types/column-type-case.ts';
import { COLUMN_TYPE_CASES } from '../../cases/column-types/column-type-cases.ts';
import { keyShapesSection } from '../../cases/key-shapes/section.ts';
import { importScript } from '../../support/import-script.ts';
import { repositoryRoot } from '../../support/inventory.ts';

const { configPage, undescribedKeys } = await importScript<{
  configPage(schema: unknown): string;
  undescribedKeys(schema: unknown): string[];
}>('docs/config-page.mjs');
const { apiPage } = await importScript<{ apiPage(document: unknown): string }>('docs/api-page.mjs');
const { errorsPage } = await importScript<{ errorsPage(codes: unknown): string }>('docs/errors-page.mjs');
const { columnTypesSection, typesPage } = await importScript<{
  typesPage(sections: readonly string[]): string;
  columnTypesSection(table: unknown): string;
}>('docs/types-page.mjs');

const schema = configJsonSchema();

function written(path: string): string {
  return readFileSync(join(repositoryRoot(), 'docs/reference', path), 'utf8');
}

describe('the reference pages (after a change: npm run docs)', () => {
  test('config.md is what the validator accepts', () => {
    expect(written('config.md')).toBe(configPage(schema));
  });

  test('config.schema.json is what `holt config schema` prints', () => {
    expect(written('config.schema.json')).toBe(`${JSON.stringify(schema, null, 2)}\n`);
  });

  test('api.md and openapi.json are the table of routes', () => {
    const document = openApiDocument(ROUTES, 'v1');
    expect(written('openapi.json')).toBe(`${JSON.stringify(document, null, 2)}\n`);
    expect(written('api.md')).toBe(apiPage(document));
  });

  test('types.md is the tables of cases', () => {
    const page = typesPage([
      columnTypesSection({ families: COLUMN_TYPE_FAMILIES, cases: COLUMN_TYPE_CASES, outcomeOf }),
      keyShapesSection(),
    ]);
    expect(readFileSync(join(repositoryRoot(), 'docs/types.md'), 'utf8')).toBe(page);
  });

  test('errors.md is the list of codes', () => {
    expect(written('errors.md')).toBe(errorsPage(ERROR_CODES));
  });
});

test('every key of the configuration has its sentence', () => {
  expect(undescribedKeys(schema)).toEqual([]);
});

test('a key shows its type, its default in the unit in which it is written, and what it is', () => {
  const page = configPage(schema);
  expect(page).toContain(
    '| `dataSources.<name>.connectTimeout` | duration | `10s` | How long a connection attempt may take. |',
  );
  expect(page).toContain('| `channels.<name>.pipelines.<name>.batch.window` | integer from 1 to 64 | `6` |');
  expect(page).toContain('| `nodes.<name>.site` | name | required |');
});
