// A child that records nothing and lives until its channel ends or a signal comes.
'use strict';
process.on('message', () => {});
