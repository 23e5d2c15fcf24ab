/** The one binary: `holt`. Parses the command line and turns errors into one line, a hint, a code and an exit code. */
import { Command, CommanderError } from 'commander';
import { isAbort } from '../lib/errors.ts';
import { addAccessCommands } from './cli/access-commands.ts';
import { addAlarmCommands } from './cli/alarm-commands.ts';
import { addBinlogCommands } from './cli/binlog-commands.ts';
import { addClusterCommands } from './cli/cluster-commands.ts';
import { addConfigCommands } from './cli/config-commands.ts';
import { addDdlCommands } from './cli/ddl-commands.ts';
import { addDoctorCommand } from './cli/doctor-command.ts';
import { addNodeCommands } from './cli/node-commands.ts';
import { EXIT, exitCodeOf, formatError, type OutputFormat } from './cli/output.ts';
import { addPipelineConfigCommands } from './cli/pipeline-config-commands.ts';
import { addRemoteCommands, type Terminal } from './cli/remote-commands.ts';
import { addSupportCommands } from './cli/support-commands.ts';
import { addTraceCommand } from './cli/trace-command.ts';
import { addWaitCommand } from './cli/wait-command.ts';
import { ownRelease } from './release.ts';

/** How long an interrupted command may take to end by itself. */
const INTERRUPTED_MS = 300;

const release = ownRelease();
const interrupted = new AbortController();

const terminal: Terminal = {
  out: (text) => {
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  },
  interactive: process.stdout.isTTY === true,
  width: () => (process.stdout.isTTY === true ? process.stdout.columns : Number.POSITIVE_INFINITY),
  exit: (code) => {
    process.exitCode = code;
  },
  signal: interrupted.signal,
};

const program = new Command('holt')
  .description('Keeps MySQL and MariaDB databases in two or more data centres in step, exactly once.')
  .version(release, '-V, --version')
  .exitOverride()
  .showHelpAfterError('(holt --help shows what there is)');
addNodeCommands(program, { release });
addRemoteCommands(program, terminal);
addDdlCommands(program, terminal);
addClusterCommands(program, terminal);
addPipelineConfigCommands(program, terminal);
addAlarmCommands(program, terminal);
addAccessCommands(program, terminal);
addConfigCommands(program, terminal);
addDoctorCommand(program, terminal);
addBinlogCommands(program, terminal);
addTraceCommand(program, terminal);
addWaitCommand(program, terminal);
addSupportCommands(program, terminal, release);

const argv = process.argv;
// Whoever read our output has seen enough: `holt … | head`.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    // A full disk, most likely: there is nobody left to tell but the exit code.
    process.exit(EXIT.failure);
  });
// Long-running commands have signal handling of their own: see node-commands.
if (argv[2] !== 'node' && argv[2] !== 'run')
  process.once('SIGINT', () => {
    interrupted.abort();
    process.exitCode = 130;
    // Nobody waits for an answer that is still on its way.
    setTimeout(() => process.exit(130), INTERRUPTED_MS).unref();
  });

try {
  await program.parseAsync(argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (!(isAbort(error) && interrupted.signal.aborted)) {
    // The command's own options are not at hand any more: it may not even have been found.
    const format: OutputFormat = /\s(?:-o|--output)[\s=]?json\b/.test(argv.join(' ')) ? 'json' : 'table';
    process.stderr.write(`${formatError(error, format)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
