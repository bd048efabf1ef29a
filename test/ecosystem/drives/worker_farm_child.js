'use strict';

exports.square = (n, callback) => callback(null, n * n);
exports.fail = (callback) => callback(new Error('as asked'));
exports.exit = () => process.exit(1);
