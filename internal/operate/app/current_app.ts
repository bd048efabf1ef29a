/**
 * What the primary of an app writes down about it, so that the next primary is as this one was: the number of workers,
 * the release, and why this primary ended.
 *
 * Used by  app_primary.ts, app_commands.ts
 * Uses     app_record.ts (the file)
 * Keeps    a file that cannot be written stops nothing: that is said once, and the next change tries again
 */
import { currentFile, currentOf, writeJson, type AppRecord, type CurrentApp } from './app_record';
import type { AppSpec } from './app_spec';

/** What a reload may change. A variable that is null is removed. */
export type ReleaseChange = Partial<Pick<AppSpec, 'exec' | 'cwd' | 'args' | 'execArgv'> & { readonly env: Readonly<Record<string, string | null>> }>;

/** The file `current` of one app. Only the process that has the control socket of the app may make one. */
export class CurrentFile {
  readonly #file: string;
  readonly #record: AppRecord;
  readonly #warn: (text: string) => void;
  #spec: AppSpec;
  /** The paths with symlinks followed, if a rollback went back to them. */
  #pinned: CurrentApp['pinned'];
  /** The spec of the release to which a rollback goes; null if there was no other release. */
  #other: AppSpec | null = null;
  #ended: CurrentApp['ended'] = null;
  /** How many workers were desired last; null before there were any. */
  #desired: number | null = null;
  #hasWarned = false;

  constructor(state: string, record: AppRecord, warn: (text: string) => void) {
    this.#file = currentFile(state, record.spec.name);
    this.#record = record;
    this.#warn = warn;
    const { spec, pinned } = currentOf(state, record);
    this.#spec = spec;
    this.#pinned = pinned;
  }

  get id(): string {
    return this.#record.id;
  }

  get run(): number {
    return this.#record.run;
  }

  /** The spec as it is now. */
  get spec(): AppSpec {
    return this.#spec;
  }

  get isGivenUp(): boolean {
    return this.#ended?.is === 'given up';
  }

  /** `desired` workers are desired. 0 means that all stop, which says nothing about the next start. */
  noteScale(desired: number): void {
    const before = this.#desired ?? desired;
    if (desired === 0) return;
    this.#desired = desired; // The first number is what the spec stands for, also if that says 'max'.
    if (desired !== before) this.#write({ ...this.#spec, instances: desired });
  }

  /** The spec with which the first workers start: after a rollback, with the paths that it went back to. */
  get startSpec(): AppSpec {
    return { ...this.#spec, ...this.#pinned };
  }

  /**
   * The changes to ask of the supervisor for a reload with `change`. After a rollback the script and the directory are
   * among them, so that their symlinks are followed again.
   */
  withNames(change: ReleaseChange): ReleaseChange {
    const { exec, cwd } = this.#spec;
    return this.#pinned === null ? change : { exec, cwd, ...change };
  }

  /** A reload with these changes has replaced all workers. `isOther`: the release is another one than before. */
  noteReload(change: ReleaseChange, isOther: boolean): void {
    if (isOther) this.#other = this.startSpec;
    this.#pinned = null;
    this.#write({ ...this.#spec, ...change, env: withChanges(this.#spec.env, change.env ?? {}) });
  }

  /** A rollback has replaced all workers; they run this release now, whose symlinks are followed. */
  noteRollback({ exec, cwd, args, execArgv }: Pick<AppSpec, 'exec' | 'cwd' | 'args' | 'execArgv'>): void {
    const before = this.startSpec;
    this.#pinned = { exec, cwd };
    this.#write({ ...this.#spec, args, execArgv, env: (this.#other ?? this.#spec).env });
    this.#other = before;
  }

  /** This primary ends, or is about to. The first reason holds, but 'stopped' replaces none. */
  end(is: 'stopped' | 'given up', reason: string): void {
    if (this.#ended !== null) return;
    this.#ended = { is, reason };
    this.#write(this.#spec);
  }

  #write(spec: AppSpec): void {
    this.#spec = spec;
    try {
      writeJson(this.#file, { id: this.#record.id, run: this.#record.run, spec, pinned: this.#pinned, ended: this.#ended } satisfies CurrentApp);
    } catch (error) {
      if (!this.#hasWarned) this.#warn(`cannot write ${this.#file}: ${error instanceof Error ? error.message : String(error)}. After a restart the app is as it was before`);
      this.#hasWarned = true;
    }
  }
}

function withChanges(env: AppSpec['env'], changes: Readonly<Record<string, string | null>>): AppSpec['env'] {
  const changed: Record<string, string> = { ...env };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete changed[name];
    else changed[name] = value;
  }
  return changed;
}
