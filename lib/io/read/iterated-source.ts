import { assertChunk, type Chunk, type ChunkSource, type ChunkSourceSync } from '../chunk.js';
import { PullSource, PullSourceSync } from '../pull-source.js';

/** A source of anybody's making, for readers. */
export class IteratedSource extends PullSource {
  readonly #source: ChunkSource;
  #iterator: AsyncIterator<Chunk> | null = null;

  constructor(source: ChunkSource) {
    super(source.pool);
    this.#source = source;
  }

  async pull(): Promise<Chunk | null> {
    this.#iterator ??= this.#source[Symbol.asyncIterator]();
    const { done, value } = await this.#iterator.next();
    if (done) return null;
    assertChunk(value, 'new ByteReader(source), source');
    return value;
  }

  async close(): Promise<void> {
    await this.#iterator?.return?.();
    await this.#source[Symbol.asyncDispose]?.();
  }
}

/** As {@link IteratedSource}, synchronous. */
export class IteratedSourceSync extends PullSourceSync {
  readonly #source: ChunkSourceSync;
  #iterator: Iterator<Chunk> | null = null;

  constructor(source: ChunkSourceSync) {
    super(source.pool);
    this.#source = source;
  }

  pull(): Chunk | null {
    this.#iterator ??= this.#source[Symbol.iterator]();
    const { done, value } = this.#iterator.next();
    if (done) return null;
    assertChunk(value, 'new ByteReaderSync(source), source');
    return value;
  }

  close(): void {
    this.#iterator?.return?.();
    this.#source[Symbol.dispose]?.();
  }
}
