// npm run prebuild: makes prebuilds/<platform>-<arch>/ from the sources as they are now. A binary carries their hash.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bin, node, root } from './run.js';

rmSync(join(root, 'prebuilds', `${process.platform}-${process.arch}`), { recursive: true, force: true });
// Node-API is the same in all releases, so the headers of the one that runs this will do.
const made = node(bin.prebuildify, ['--napi', '--strip', '--tag-libc', '--target', process.versions.node]);
process.exitCode = made ? 0 : 1;
