'use strict';

module.exports = ({ messenger }) => {
  messenger.on('tell', (text) => messenger.sendToApp('tell', text));
};
