/**
 * `unit`: prints a systemd unit for the daemon.
 *
 * Used by  commands.ts
 * Uses     daemon/unit.ts (its text)
 */
import { userInfo } from 'node:os';
import { unitText } from '../daemon/unit';
import { flag, time } from './arguments';
import { defineCommand } from './command';

/** How long a stop of all apps may take by default, in milliseconds: more than the default of --leave-timeout. */
const STOP_MS = 60_000;

/** The command `unit`. */
export const unit = defineCommand({
  name: 'unit',
  about: [
    'Prints a systemd unit for this user, this Node and this installation. It runs the daemon, which starts the saved apps with the machine; they stop with it, each as `stop` does.',
    'With --user it is a unit of the user\'s own systemd, which needs no root.',
  ],
  examples: [
    'cluster-internals save && cluster-internals unit | sudo tee /etc/systemd/system/cluster-internals-$USER.service',
    'cluster-internals unit --user > ~/.config/systemd/user/cluster-internals.service',
  ],
  options: { user: flag("a unit of the user's own systemd"), 'stop-timeout': time('how long a stop of all apps may take: 60s by default') },
  run: async ({ values, output }) => {
    const { username: user } = userInfo();
    const text = unitText({ isUser: values.user === true, user, node: process.execPath, env: process.env, stopSeconds: Math.ceil((values['stop-timeout'] ?? STOP_MS) / 1000) });
    output.result({ unit: text }, () => text.trimEnd());
    return 0;
  },
});
