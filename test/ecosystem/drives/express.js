/** Express under node:cluster: JSON bodies, an error of a handler, a file, keep-alive; a worker is killed; all leave. */
'use strict';
require('./web')('express_app.js');
