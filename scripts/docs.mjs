#!/usr/bin/env node
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';
import { apiPage } from './docs/api-page.mjs';
import { configPage } from './docs/config-page.mjs';
import { errorsPage } from './docs/errors-page.mjs';
import { metricsPage } from './docs/metrics-page.mjs';
import { columnTypesSection, typesPage } from './docs/types-page.mjs';

/*
 * npm run docs: writes the reference pages that are made from the sources. A test fails when they are out of date.
 */

register();
const { configJsonSchema } = await import('../conf/schema.ts');
const { ERROR_CODES } = await import('../model/error-codes.ts');
const { COLUMN_TYPE_FAMILIES, outcomeOf } = await import('../test/cases/column-types/column-type-case.ts');
const { keyShapesSection } = await import('../test/cases/key-shapes/section.ts');
const { COLUMN_TYPE_CASES } = await import('../test/cases/column-types/column-type-cases.ts');

const { openApiDocument } = await import('../node/api/openapi.ts');
const { ROUTES } = await import('../node/api/routes/all.ts');

const { metricsCatalogue } = await import('../node/metrics.ts');

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const schema = configJsonSchema();
const api = openApiDocument(ROUTES, 'v1');
const pages = {
  'docs/reference/api.md': apiPage(api),
  'docs/reference/openapi.json': `${JSON.stringify(api, null, 2)}\n`,
  'docs/reference/config.md': configPage(schema),
  'docs/reference/config.schema.json': `${JSON.stringify(schema, null, 2)}\n`,
  'docs/reference/errors.md': errorsPage(ERROR_CODES),
  'docs/reference/metrics.md': metricsPage(metricsCatalogue()),
  'docs/types.md': typesPage([
    columnTypesSection({ families: COLUMN_TYPE_FAMILIES, cases: COLUMN_TYPE_CASES, outcomeOf }),
    keyShapesSection(),
  ]),
};
for (const [path, text] of Object.entries(pages)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  process.stdout.write(`${path}\n`);
}
