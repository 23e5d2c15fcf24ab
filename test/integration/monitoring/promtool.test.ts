import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { Counted } from '../../../node/counted.ts';
import { programOf, repositoryRoot, ServerUnavailable } from '../../support/inventory.ts';

const exec = promisify(execFile);

async function promtool() {
  try {
    return await programOf('promtool');
  } catch (error) {
    if (!(error instanceof ServerUnavailable)) throw error;
    process.stderr.write(`SKIPPED: the alert rules are not checked with promtool: ${error.message}\n`);
    return null;
  }
}

test("Prometheus' own tool takes the rules, and what nodes count", async (context) => {
  const program = await promtool();
  if (program === null) return context.skip();
  const [command = '', ...first] = program.command;
  const env = { ...process.env, ...program.env };
  const rules = join(repositoryRoot(), 'monitoring/prometheus/holt-rules.yaml');
  const { stdout } = await exec(command, [...first, 'check', 'rules', rules], { env });
  expect(stdout).toMatch(/SUCCESS: [0-9]{2} rules found/);
  const counted = new Counted();
  counted.failed('shop', 'load', 'HOLT_X');
  counted.answered('/api/v1/alarms', 'GET', 200, 3);
  counted.alarm('ops', 'delivered');
  const text = await counted.registry.metrics();
  const checked = exec(command, [...first, 'check', 'metrics'], { env });
  checked.child.stdin?.end(`${text.trim()}\n`);
  await checked;
}, 120_000);
