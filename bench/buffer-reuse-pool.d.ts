declare module 'buffer-reuse-pool' {
  const reuse: { pool(size: number): { alloc(): Buffer }; free(buffer: Buffer): boolean };
  export default reuse;
}
