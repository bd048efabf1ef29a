'use strict';

module.exports = ({ router, messenger }) => {
  let seen = '';
  messenger.on('tell', (text) => { seen = text; });
  router.get('/', async (ctx) => {
    ctx.set('connection', 'close');
    ctx.body = String(process.pid);
  });
  router.get('/tell', async (ctx) => {
    messenger.sendToAgent('tell', 'hello');
    ctx.body = 'told';
  });
  router.get('/seen', async (ctx) => { ctx.body = seen; });
};
