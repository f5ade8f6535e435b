declare module 'typedarray-pool' {
  const pool: { mallocUint8(size: number): Uint8Array; freeUint8(array: Uint8Array): void };
  export default pool;
}
