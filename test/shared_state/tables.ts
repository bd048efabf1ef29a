/**
 * Finds each Map, Set and array that can be reached from an object, with its path and its size; the churn test compares
 * them. It uses the inspector of this process, which sees `#private` fields too. It does not see variables of closures.
 */
import { Session } from 'node:inspector';

interface Remote { readonly type: string; readonly subtype?: string; readonly className?: string; readonly description?: string; readonly objectId?: string }
interface Property { readonly name: string; readonly value?: Remote }

/** The sizes by path. An object that can be reached by several paths counts once. */
export function tableSizes(root: object): Map<string, number> {
  const session = new Session();
  session.connect();
  const post = <Reply>(method: string, params: object): Reply => {
    let reply: unknown;
    // The inspector answers before `post` returns, because it runs in this thread.
    session.post(method, params, (error, result) => {
      if (error !== null) throw new Error(`${method}: ${JSON.stringify(error)}`);
      reply = result;
    });
    return reply as Reply;
  };
  const sizes = new Map<string, number>();
  const key = '__tableSizesRoot';
  try {
    Object.assign(globalThis, { [key]: { root, met: new Set<object>() } });
    const evaluate = post<{ result: Remote }>('Runtime.evaluate', { expression: `${key}.root` });
    const isNew = (objectId: string): boolean => post<{ result: { value: boolean } }>('Runtime.callFunctionOn', {
      objectId, returnByValue: true, functionDeclaration: `function () { const { met } = globalThis.${key}; return !met.has(this) && !!met.add(this); }`,
    }).result.value;
    const look = (value: Remote, path: string): void => {
      const { objectId, type, subtype, description = '' } = value;
      if (objectId === undefined || type !== 'object' || !isNew(objectId)) return;
      if (subtype === 'array' || subtype === 'map' || subtype === 'set') sizes.set(path, Number(/\((\d+)\)/.exec(description)?.[1] ?? NaN));
      const { result, privateProperties = [], internalProperties = [] } = post<{ result: Property[]; privateProperties?: Property[]; internalProperties?: Property[] }>(
        'Runtime.getProperties', { objectId, ownProperties: true });
      const entries = internalProperties.filter(({ name }) => name === '[[Entries]]');
      for (const { name, value: inner } of [...result, ...privateProperties, ...entries]) {
        if (inner !== undefined && name !== '__proto__') look(inner, `${path}.${name.replace('[[Entries]]', '*')}`);
      }
    };
    look(evaluate.result, 'root');
  } finally {
    Reflect.deleteProperty(globalThis, key);
    session.disconnect();
  }
  return sizes;
}
