/** NestJS under node:cluster, as Express. */
'use strict';
require('./web')('nest_app.js');
