import { checkPath } from '../path.ts';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectString {
  readonly servers: readonly ServerAddress[];
  /** Path under which everything lives; empty for none. */
  readonly chroot: string;
}

export const defaultPort = 2181;

/**
 * Parses `host:port,host:port/chroot`. IPv6 literals stand in brackets (`[::1]:2181`); without a port 2181.
 * @throws RangeError naming the part that is wrong
 */
export function parseConnectString(text: string): ConnectString {
  const slash = text.indexOf('/');
  const hosts = slash === -1 ? text : text.slice(0, slash);
  const path = slash === -1 ? '/' : text.slice(slash);
  const servers = hosts.split(',').map((part) => parseServer(part.trim(), text));
  return { servers, chroot: checkPath(path) === '/' ? '' : path };
}

function parseServer(part: string, whole: string): ServerAddress {
  const match = /^(?:\[(?<v6>[0-9a-fA-F:.%\w]+)\]|(?<name>[^[\]:\s]+))(?::(?<port>\d+))?$/.exec(part);
  const host = match?.groups?.v6 ?? match?.groups?.name;
  if (host === undefined)
    throw new RangeError(
      `${JSON.stringify(part)} in ${JSON.stringify(whole)} is not host:port (IPv6 addresses stand in brackets)`,
    );
  const port = match?.groups?.port === undefined ? defaultPort : Number(match.groups.port);
  if (port < 1 || port > 65_535) throw new RangeError(`port ${port} in ${JSON.stringify(whole)} is none`);
  return { host, port };
}

/** `host:port`, IPv6 in brackets. */
export function formatServer({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
