// npm run build: dist/, and the addon if the one that would be loaded is not made from the sources as they are now.
import { addonIsFresh, buildAddon, buildLibrary } from './run.js';

process.exitCode = buildLibrary() && (addonIsFresh() || buildAddon()) ? 0 : 1;
