'use strict';
// For tools with a `require` of their own, like bundlers, and like Jest's, which may know no ES modules. Node takes dist/ itself, for
// import and require alike ("module-sync" in package.json), and this ends there as well: a thread has one copy of the package.
try {
  module.exports = require('../dist/object/object.js');
} catch {
  module.exports = require('./node.cjs')('../dist/object/object.js');
}
