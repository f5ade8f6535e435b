/** A Buffer with an ArrayBuffer of its own: `Buffer<ArrayBuffer>`, or just `Buffer` in older types of Node.js. */
export type Bytes = ReturnType<typeof Buffer.alloc>;
