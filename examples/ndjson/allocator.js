/**
 * What the pipeline needs from whoever gives it memory. A slabpool lease has this shape as it is.
 *
 * @typedef {object} Holding
 * @property {Buffer} bytes at least as long as was asked for; the contents are whatever was there before
 * @property {() => void} release the bytes must not be touched afterwards
 */

/**
 * @typedef {object} Allocator
 * @property {(size: number) => Holding} acquire
 * @property {() => number | undefined} hitRate share of acquisitions served from kept memory, 0 to 1
 * @property {() => void} close throws while anything acquired is not released, if it can tell
 * @property {{ kind: string, reason: string }} [backend] what does the work, where that depends on the platform
 */

export {};
