import { it } from 'vitest';

it('exits', () => process.exit(3));
