/** `holt node` and `holt run`: processes that work until they are told to stop. */
import { type Command, InvalidArgumentError } from 'commander';
import type { HoltConfig, NodeConfig } from '../../model/config.ts';
import type { RunningNode } from '../compose.ts';
import { isLogLevel, LogGate } from '../log-levels.ts';
import { withConfig } from './config-commands.ts';

export function addNodeCommands(program: Command, { release }: { readonly release: string }): void {
  withConfig(
    program
      .command('node')
      .description('run a node of the configuration until SIGTERM; a second signal leaves at once')
      .option('--name <node>', 'which node of the configuration this is', process.env.HOLT_NODE),
  ).action(async (options: { readonly config: string; readonly name?: string }) => {
    const { loadConfig, nodeNamed } = await composition();
    const loaded = loadConfig(options.config);
    await work(loaded.config, nodeNamed(loaded, options.name), release);
  });
  withConfig(
    program
      .command('run')
      .description('run everything in this one process, with two databases and nothing else')
      .option('--listen <host:port>', 'address of the API, on loopback', listenOf),
  ).action(async (options: { readonly config: string; readonly listen?: NodeConfig['listen'] }) => {
    const { loadConfig, soleNode } = await composition();
    const { config, node } = soleNode(loadConfig(options.config));
    await work(config, options.listen === undefined ? node : { ...node, listen: options.listen }, release);
  });
}

/** All of Holt: not loaded for the commands that only ask a node. */
async function composition() {
  const [load, compose, logging] = await Promise.all([
    import('../../conf/load.ts'),
    import('../compose.ts'),
    import('../logging.ts'),
  ]);
  return { ...load, ...compose, ...logging };
}

function listenOf(text: string): NodeConfig['listen'] {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (!/^(?:\[[0-9a-fA-F:]+\]|[^:]+):[0-9]{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('host:port is expected, such as 127.0.0.1:8640');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}

async function work(config: HoltConfig, node: NodeConfig, release: string): Promise<void> {
  const { rootLogger, startNode } = await composition();
  const logGate = new LogGate(isLogLevel(node.log.level) ? node.log.level : 'info');
  const everyLine = rootLogger(node, release);
  const log = logGate.logger(everyLine);
  log.info({ event: 'node:starting', coordination: config.coordination.kind }, 'the node starts');
  const running = await startNode({
    config,
    node,
    release,
    log: everyLine,
    logGate,
    announce: (text) => process.stdout.write(`${text}\n`),
  });
  const signal = await firstSignal();
  log.info(
    { event: 'node:stopping', signal, drain_ms: node.drainTimeoutMs },
    'the node stops: it finishes what it holds',
  );
  for (const second of ['SIGINT', 'SIGTERM'] as const)
    process.once(second, () => {
      log.warn({ event: 'node:left', signal: second }, 'second signal: leaving at once');
      process.exit(second === 'SIGINT' ? 130 : 143);
    });
  await drained(running, node.drainTimeoutMs, () => {
    log.warn(
      { event: 'node:drain:given-up' },
      'what the node holds was not finished in time; others take it over',
    );
    process.exit(1);
  });
  log.info({ event: 'node:stopped' }, 'the node has stopped');
}

function firstSignal(): Promise<'SIGTERM' | 'SIGINT'> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('SIGINT', () => resolve('SIGINT'));
  });
}

async function drained(running: RunningNode, deadlineMs: number, givenUp: () => void): Promise<void> {
  const timer = setTimeout(givenUp, deadlineMs);
  try {
    await running.stop();
  } finally {
    clearTimeout(timer);
  }
}
