import { argv } from 'node:process';
import { getOneMessage, sendMessage } from 'execa';

const what = argv[2];
if (what === 'square') await sendMessage((await getOneMessage()) ** 2);
if (what === 'echo') await sendMessage(await getOneMessage());
if (what === 'count') for (let n = 0; n < 500; n++) await sendMessage(n);
if (what === 'wait') {
  await sendMessage('ready');
  setTimeout(() => {}, 60_000);
}
