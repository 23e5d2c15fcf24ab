/** Asks a person at the terminal; what is secret is not shown while it is typed. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { HoltError } from '../../lib/errors.ts';

/** A line of standard input. At a terminal the question is asked on standard error, so that output can go elsewhere. */
export function ask(question: string, options: { readonly hidden: boolean }): Promise<string> {
  const isTerminal = process.stdin.isTTY === true;
  const shown = new Writable({
    write(chunk, _encoding, done) {
      if (!options.hidden) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output: shown, terminal: isTerminal });
  if (isTerminal) process.stderr.write(question);
  return new Promise((resolve, reject) => {
    let answered = false;
    lines.once('line', (line) => {
      answered = true;
      lines.close();
      if (isTerminal && options.hidden) process.stderr.write('\n');
      resolve(line);
    });
    lines.once('SIGINT', () => {
      lines.close();
      process.exit(130);
    });
    lines.once('close', () => {
      if (!answered)
        reject(
          new HoltError('HOLT_REQUEST_INVALID', `nothing was given for: ${question.trim()}`, {
            disposition: 'fatal',
          }),
        );
    });
  });
}
