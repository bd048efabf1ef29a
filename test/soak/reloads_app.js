// The app of reloads_program.ts.
require('../fixtures/supervised_app.js')(1, 'serve');
