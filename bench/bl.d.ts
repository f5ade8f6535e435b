declare module 'bl' {
  export class BufferList {
    append(bytes: Uint8Array | string): this;
    slice(): Buffer;
    readonly length: number;
  }
  export default BufferList;
}
