// The app that reloads_program.ts supervises.
require('../fixtures/supervised_app.js')(1, 'serve');
