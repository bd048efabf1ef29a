/**
 * The programs of the ecosystem lane: unmodified packages of the npm registry that use cluster or fork, pinned to versions
 * that run on Node 20 too, each with the drive that uses it as its users do.
 *
 * Used by  ecosystem.ts, install.ts, play.ts
 */

/** One program. */
export interface Program {
  /** Its name in the table, and of its directory below .nodes/ecosystem. */
  readonly name: string;
  /** What is installed, with exact versions; the first is the program itself. */
  readonly packages: readonly [string, ...string[]];
  /** The file of drives/ that uses it. */
  readonly drive: string;
  /** What it uses cluster or fork for. */
  readonly uses: string;
  /** The test suite that its package ships, if it ships one: the command, in the package's directory. */
  readonly suite?: readonly [string, ...string[]];
}

export const programs: readonly Program[] = [
  { name: 'pm2', packages: ['pm2@7.0.4'], drive: 'pm2.js', uses: 'cluster: its daemon forks the apps, reloads and scales them' },
  { name: 'egg-cluster', packages: ['egg-cluster@2.5.0', 'egg@3.34.0'], drive: 'egg.js', uses: 'cluster and fork: app workers and an agent, messages between them' },
  { name: 'cfork', packages: ['cfork@2.0.0'], drive: 'cfork.js', uses: 'cluster: forks again what dies or disconnects' },
  { name: 'throng', packages: ['throng@5.0.0'], drive: 'throng.js', uses: 'cluster: workers, refork, SIGTERM' },
  { name: 'recluster', packages: ['recluster@1.0.0'], drive: 'recluster.js', uses: 'cluster: hot reload, backoff' },
  { name: 'luster', packages: ['luster@0.6.3'], drive: 'luster.js', uses: 'cluster: restarts, remote calls' },
  { name: 'poolifier', packages: ['poolifier@5.3.2'], drive: 'poolifier.js', uses: 'cluster: pools of workers that run tasks' },
  { name: '@socket.io/sticky', packages: ['@socket.io/sticky@2.0.1', '@socket.io/cluster-adapter@0.3.0', 'socket.io@4.8.1', 'socket.io-client@4.8.1'], drive: 'socketio.js', uses: 'cluster: sends sockets to workers, messages between workers' },
  { name: 'express', packages: ['express@5.1.0'], drive: 'express.js', uses: 'cluster: a web framework in the workers' },
  { name: 'fastify', packages: ['fastify@5.2.1'], drive: 'fastify.js', uses: 'cluster: a web framework in the workers' },
  { name: 'nestjs', packages: ['@nestjs/core@11.0.0', '@nestjs/common@11.0.0', '@nestjs/platform-express@11.0.0', 'reflect-metadata@0.2.2', 'rxjs@7.8.1'], drive: 'nest.js', uses: 'cluster: a web framework in the workers' },
  { name: 'workerpool', packages: ['workerpool@10.0.3'], drive: 'workerpool.js', uses: 'fork: a pool of processes' },
  { name: 'tinypool', packages: ['tinypool@2.2.0'], drive: 'tinypool.js', uses: 'fork: a pool of processes' },
  { name: 'jest-worker', packages: ['jest-worker@30.5.1'], drive: 'jest_worker.js', uses: 'fork: the processes of jest' },
  { name: 'worker-farm', packages: ['worker-farm@1.7.0', 'tape@4.10.2'], drive: 'worker_farm.js', uses: 'fork: a pool of processes', suite: ['node', 'tests/index.js'] },
  { name: 'mocha --parallel', packages: ['mocha@11.8.0'], drive: 'mocha.js', uses: 'fork: test files in processes' },
  { name: 'vitest (forks)', packages: ['vitest@3.0.1'], drive: 'vitest.js', uses: 'fork: test files in processes' },
  { name: 'next', packages: ['next@15.5.29', 'react@19.0.0', 'react-dom@19.0.0'], drive: 'next.js', uses: 'fork in its build; cluster: the standalone server in the workers' },
  { name: 'execa', packages: ['execa@9.6.0'], drive: 'execa.js', uses: 'spawn with ipc: its own messages on top' },
];

/** A name as that of a directory. */
export function directoryName({ name }: Program): string {
  return name.replace(/[^\w.-]+/g, '_').replace(/^_|_$/g, '');
}
