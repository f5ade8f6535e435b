'use strict';
// Node's own `require`, from within tools that replace it: what they leave alone is the main context.
const { runInThisContext } = require('node:vm');

module.exports = runInThisContext('process').getBuiltinModule('node:module').createRequire(__filename);
