/** `holt completion`: scripts that complete commands, options and choices, made from the commands themselves. */
import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Words {
  /** Commands up to here, such as `pipeline pause`. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly {
    readonly long: string;
    readonly description: string;
    readonly choices: readonly string[];
  }[];
}

export function completionScript(shell: Shell, program: Command): string {
  const words = wordsOf(program, '');
  switch (shell) {
    case 'bash':
      return bash(words);
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`;
    case 'fish':
      return fish(words);
    default:
      return shell satisfies never;
  }
}

function wordsOf(command: Command, path: string): Words[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((one) => one.name() !== 'help');
  const own: Words = {
    path,
    commands: commands.map((one) => ({ name: one.name(), description: firstLine(one.description()) })),
    options: help.visibleOptions(command).flatMap((option) =>
      option.long === undefined || option.long === null
        ? []
        : [
            {
              long: option.long,
              description: firstLine(option.description),
              choices: option.argChoices ?? [],
            },
          ],
    ),
  };
  return [own, ...commands.flatMap((one) => wordsOf(one, `${path} ${one.name()}`.trim()))];
}

function bash(words: readonly Words[]): string {
  const cases = words.map(
    ({ path, commands, options }) =>
      `    "${path}") words="${[...commands.map((one) => one.name), ...options.map((one) => one.long)].join(' ')}" ;;`,
  );
  const choices = new Map(
    words.flatMap(({ options }) =>
      options.filter((one) => one.choices.length > 0).map((one) => [one.long, one.choices]),
    ),
  );
  const values = [...choices].map(
    ([long, known]) =>
      `    ${long === '--output' ? '--output|-o' : long}) COMPREPLY=($(compgen -W "${known.join(' ')}" -- "$now")); return ;;`,
  );
  const paths = words.map(({ path }) => `    "${path}") ;;`).slice(1);
  return `# Completion of holt. In bash: source <(holt completion bash)
_holt() {
  local now="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path="" longer word words=""
  case "$before" in
${values.join('\n')}
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    longer="\${path:+$path }$word"
    case "$longer" in
${paths.join('\n')}
    *) continue ;;
    esac
    path="$longer"
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$now"))
}
complete -o default -F _holt holt
`;
}

function fish(words: readonly Words[]): string {
  const lines = ['# Completion of holt. In fish: holt completion fish | source', 'complete -c holt -f'];
  for (const { path, commands, options } of words) {
    const names = path === '' ? [] : path.split(' ');
    const seen = names.map((name) => `__fish_seen_subcommand_from ${name}`);
    const none =
      commands.length === 0
        ? []
        : [`not __fish_seen_subcommand_from ${commands.map((one) => one.name).join(' ')}`];
    const when = (parts: readonly string[]) =>
      parts.length === 0 ? '' : ` -n ${quoted(parts.join('; and '))}`;
    for (const one of commands)
      lines.push(`complete -c holt${when([...seen, ...none])} -a ${one.name} -d ${quoted(one.description)}`);
    for (const one of options) {
      const choices = one.choices.length === 0 ? '' : ` -x -a ${quoted(one.choices.join(' '))}`;
      lines.push(
        `complete -c holt${when([...seen, ...none])} -l ${one.long.slice(2)} -d ${quoted(one.description)}${choices}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

const firstLine = (text: string) => text.split('\n')[0] ?? '';
const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
