export default ({ n }) => n * n;
export const echo = (value) => value;
export const pid = () => process.pid;
export function fail() {
  throw new Error('as asked');
}
export function forever() {
  for (;;);
}
