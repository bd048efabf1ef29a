/**
 * The systemd unit that starts the daemon at boot, with all apps that were saved. The CLI prints it; nobody installs it.
 *
 * Used by  cli/unit.ts, cli/app_units.ts (how words of a unit file are written, and who the user is)
 * Decided  KillMode=process, because systemd would otherwise end all primaries when the daemon ends, and the daemon may
 *          end, or be updated, without any app noticing. ExecStop asks the daemon to stop the apps, one gracefully beside
 *          the other, before the machine goes down. Type=exec: the daemon is ready at once, and how long the saved apps take to
 *          start must not decide whether systemd ends it
 */
import { builtFile } from '../../dist_files';

/** The facts about the machine and the user that stand in the unit. */
export interface UnitOptions {
  /** The unit is for one user's own systemd (`systemctl --user`), or for that of the machine. */
  readonly isUser: boolean;
  /** The name of the user whose apps they are. */
  readonly user: string;
  /** Absolute path of `node`. */
  readonly node: string;
  /** PATH and the directories that the daemon uses. A variable that is not given keeps its default. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long a stop of all apps may take, in seconds. */
  readonly stopSeconds: number;
}

/** The variables that decide where the daemon keeps its files: they must be those of the shell in which `save` was called. */
const VARIABLES = ['PATH', 'HOME', 'XDG_RUNTIME_DIR', 'XDG_STATE_HOME'] as const;

/** Returns the text of the unit file, with comments that say how to install it. */
export function unitText({ isUser, user, node, env, stopSeconds }: UnitOptions): string {
  const systemctl = isUser ? 'systemctl --user' : 'systemctl';
  const file = isUser ? '~/.config/systemd/user/cluster-internals.service' : `/etc/systemd/system/cluster-internals-${user}.service`;
  const name = isUser ? 'cluster-internals' : `cluster-internals-${user}`;
  return [
    `# The apps of ${user}. Install it:`,
    `#   cluster-internals unit${isUser ? ' --user' : ''} > ${file}`,
    `#   ${systemctl} daemon-reload`,
    `#   ${systemctl} enable --now ${name}`,
    '# It starts what `cluster-internals save` has written down last.',
    ...(isUser ? [`# It runs while ${user} is logged in, or always after: loginctl enable-linger ${user}`] : []),
    '',
    '[Unit]',
    `Description=cluster-internals daemon of ${user}`,
    ...(isUser ? [] : afterLines(user, env)),
    '',
    '[Service]',
    'Type=exec',
    ...(isUser ? [] : [`User=${user}`]),
    ...environmentLines(env),
    `ExecStart=${quoted(node)} ${argument(builtFile('internal/operate/daemon/main.js'))} --resurrect`,
    `ExecStop=${quoted(node)} ${argument(builtFile('lib/cli.js'))} kill`,
    '# The primaries of the apps go on if the daemon ends; the next daemon takes them over.',
    'KillMode=process',
    'Restart=on-failure',
    `TimeoutStopSec=${stopSeconds}`,
    ...installLines(isUser),
  ].join('\n');
}

/** What has to be there before a service of this user, in a unit of the machine. */
export function afterLines(user: string, env: UnitOptions['env']): string[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  const [, uid] = /^\/run\/user\/(\d+)$/.exec(runtime ?? '') ?? [];
  if (uid === undefined) return ['After=network.target'];
  return ['After=network.target', `# Without it ${runtime} is there only while ${user} is logged in: loginctl enable-linger ${user}`,
    `After=user-runtime-dir@${uid}.service`, `Wants=user-runtime-dir@${uid}.service`];
}

/** The end of the unit of a service: it starts with the machine, or with the systemd of its user. */
export const installLines = (isUser: boolean): string[] => ['', '[Install]', `WantedBy=${isUser ? 'default.target' : 'multi-user.target'}`, ''];

/** The variables that a service needs so that the commands of this user find it. */
export const environmentLines = (env: UnitOptions['env']): string[] =>
  VARIABLES.flatMap((variable) => (env[variable] === undefined ? [] : [`Environment=${quoted(`${variable}=${env[variable]}`)}`]));

/** A word of a unit file: systemd replaces % and understands quotes and backslashes. */
export const quoted = (text: string): string => (/^[\w/.:=@+,-]+$/.test(text) ? text : `"${text.replace(/[\\"]/g, '\\$&').replace(/%/g, '%%').replace(/\n/g, '\\n')}"`);

/** An argument of an Exec line. There systemd replaces variables as well, so `$` is doubled; but not in the first word, the program. */
export const argument = (text: string): string => quoted(text).replaceAll('$', '$$$$');
