import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { addDoctorCommand } from '../../../node/cli/doctor-command.ts';
import type { Finding } from '../../../node/doctor/finding.ts';

export interface Diagnosis {
  readonly exitCode: number;
  readonly findings: readonly Finding[];
  /** Everything that was printed, as a table and as JSON. */
  readonly printed: string;
}

export interface Account {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface DoctorCase {
  readonly source: Account;
  readonly target: Account;
  /** Of the one pipeline, `p`. */
  readonly pipeline?: object;
  /** Into the spec. */
  readonly spec?: object;
}

/** Runs `holt doctor` on a configuration of one pipeline between two servers. */
export async function diagnose(options: DoctorCase): Promise<Diagnosis> {
  const { source, target } = options;
  const folder = mkdtempSync(join(tmpdir(), 'holt-doctor-'));
  try {
    const dataSource = (site: string, { host, port, user, password }: Account) => {
      writeFileSync(join(folder, `${site}-password`), password);
      return { site, host, port, user, password: `\${file:${site}-password}`, connectTimeout: '3s' };
    };
    const document = {
      apiVersion: 'holt/v1',
      kind: 'Holt',
      metadata: { name: 'doctor' },
      spec: {
        coordination: { kind: 'embedded' },
        dataSources: { 'east-db': dataSource('east', source), 'west-db': dataSource('west', target) },
        channels: {
          c: {
            pipelines: {
              p: {
                source: 'east-db',
                target: 'west-db',
                start: 'now',
                tables: ['shop.*'],
                ...options.pipeline,
              },
            },
          },
        },
        ...options.spec,
      },
    };
    const path = join(folder, 'holt.yaml');
    writeFileSync(path, JSON.stringify(document));
    const table = await doctor(path, 'table');
    const json = await doctor(path, 'json');
    const { findings } = JSON.parse(json.printed) as { findings: readonly Finding[] };
    return { exitCode: json.exitCode, findings, printed: `${table.printed}\n${json.printed}` };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function doctor(path: string, output: string): Promise<{ exitCode: number; printed: string }> {
  const lines: string[] = [];
  let exitCode = 0;
  const program = new Command('holt').exitOverride();
  addDoctorCommand(program, {
    out: (text) => lines.push(text),
    interactive: false,
    width: () => Number.POSITIVE_INFINITY,
    exit: (code) => {
      exitCode = code;
    },
    signal: new AbortController().signal,
  });
  await program.parseAsync(['node', 'holt', 'doctor', '-c', path, '-o', output]);
  return { exitCode, printed: lines.join('\n') };
}

/** Code and subject of everything that is not in order. */
export function troubles({ findings }: Diagnosis): string[] {
  return findings.filter((one) => one.level !== 'ok').map((one) => `${one.level} ${one.code} ${one.about}`);
}
