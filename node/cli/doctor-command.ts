/** `holt doctor`: needs no node, only the servers of a configuration. */
import { type Command, Option } from 'commander';
import { exitCodeOfFindings, type Finding } from '../doctor/finding.ts';
import { withConfig } from './config-commands.ts';
import { type Column, count, formatTable, type OutputFormat } from './output.ts';
import type { Terminal } from './remote-commands.ts';

const COLUMNS: readonly Column<Finding>[] = [
  { title: 'level', value: (row) => row.level },
  { title: 'code', value: (row) => row.code ?? '-' },
  { title: 'about', value: (row) => row.about },
  {
    title: 'finding',
    value: (row) => (row.remedy === null ? row.message : `${row.message}. ${row.remedy}`),
  },
];

export function addDoctorCommand(program: Command, terminal: Terminal): void {
  withConfig(
    program
      .command('doctor')
      .description(
        'look at every connection, grant and setting of a configuration; changes nothing. Exit code 7: something does not answer, 8: something is wrong',
      ),
  )
    .addOption(
      new Option('-o, --output <format>', 'table for people, json for programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .action(async (options: { readonly config: string; readonly output: OutputFormat }) => {
      const [{ runDoctor }, { loadConfig }] = await Promise.all([
        import('../doctor/doctor.ts'),
        import('../../conf/load.ts'),
      ]);
      const findings = await runDoctor(loadConfig(options.config));
      const counts = { ok: 0, warn: 0, error: 0 };
      for (const one of findings) counts[one.level] += 1;
      terminal.out(
        options.output === 'json'
          ? JSON.stringify({ counts, findings })
          : `${formatTable(findings, COLUMNS, terminal.width())}\n\n${count(counts.error, 'error')}, ${count(counts.warn, 'warning')}, ${counts.ok} in order`,
      );
      terminal.exit(exitCodeOfFindings(findings));
    });
}
