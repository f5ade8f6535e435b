declare module 'node-gyp-build' {
  const load: {
    (root: string): unknown;
    /** Path of the binary that `load` would take; throws where there is none. */
    resolve(root: string): string;
  };
  export default load;
}
