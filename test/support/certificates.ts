import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './kept-process.ts';

const run = promisify(execFile);

export interface Certificates {
  /** Paths of PEM files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** A certificate authority that has signed nothing here. */
  readonly strangeCa: string;
}

/** Why there can be no certificates here; undefined where there can. */
export async function whyNoCertificates(): Promise<string | undefined> {
  try {
    await run('openssl', ['version']);
    return undefined;
  } catch {
    return 'the openssl command is not on this machine';
  }
}

/** A server certificate for the names and addresses given (`DNS:…`, `IP:…`), and the authority that signed it. */
export async function makeCertificates(subjects: readonly string[]): Promise<Certificates> {
  const dir = await temporaryFolder('certificates');
  const at = (name: string) => join(dir, name);
  const authority = (name: string) =>
    run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', `/CN=${name}`],
      ...['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
    ]);
  await authority('ca');
  await authority('strange');
  await run('openssl', [
    ...['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=server', '-keyout', at('server.key')],
    ...['-out', at('server.csr')],
  ]);
  await writeFile(at('names.cnf'), `subjectAltName=${subjects.join(',')}\n`);
  await run('openssl', [
    ...['x509', '-req', '-in', at('server.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-days', '30'],
    ...['-CAcreateserial', '-extfile', at('names.cnf'), '-out', at('server.pem')],
  ]);
  return { ca: at('ca.pem'), cert: at('server.pem'), key: at('server.key'), strangeCa: at('strange.pem') };
}
