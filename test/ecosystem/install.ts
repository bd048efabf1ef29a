/**
 * Installs a program of the lane into .nodes/ecosystem/<name>, which git ignores, and puts the drives beside it.
 *
 * Used by  ecosystem.ts
 */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npmInstall } from '../support/npm';
import { root } from '../support/program';
import { announce } from '../support/terminal';
import { directoryName, type Program } from './programs';

const DRIVES = path.join(root, 'test/ecosystem/drives');
/** The packages that a directory holds, one a line. */
const LIST = 'packages.txt';

/** A program in its directory. */
export interface Installed {
  readonly program: Program;
  readonly directory: string;
  /** The version that is installed, as its package.json says. */
  readonly version: string;
}

/** Installs the program if it is not there in these versions, and the drives as they are now. @throws WrongArgument if npm fails */
export async function install(program: Program): Promise<Installed> {
  const directory = path.join(root, '.nodes/ecosystem', directoryName(program));
  const list = path.join(directory, LIST);
  const wanted = `${program.packages.join('\n')}\n`;
  if (!existsSync(list) || readFileSync(list, 'utf8') !== wanted) {
    announce('ecosystem', `installs ${program.packages.join(' ')} in ${path.relative(process.cwd(), directory)}`);
    rmSync(directory, { recursive: true, force: true });
    await npmInstall(program.packages, directory);
    writeFileSync(list, wanted);
  }
  const drives = path.join(directory, 'drives');
  rmSync(drives, { recursive: true, force: true });
  cpSync(DRIVES, drives, { recursive: true });
  return { program, directory, version: versionIn(directory, program.packages[0]) };
}

function versionIn(directory: string, specifier: string): string {
  const name = specifier.slice(0, specifier.lastIndexOf('@'));
  const { version } = JSON.parse(readFileSync(path.join(directory, 'node_modules', name, 'package.json'), 'utf8')) as { version: string };
  return version;
}
