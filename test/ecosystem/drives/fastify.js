/** Fastify under node:cluster, as Express. */
'use strict';
require('./web')('fastify_app.js');
