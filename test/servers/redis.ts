import { userInfo } from 'node:os';
import { Redis as Client } from 'ioredis';
import { redisProgram } from '../../scripts/servers.js';
import { freePort, Server, User } from './server.js';

/** A Redis server that keeps nothing. */
export class Redis extends Server {
  /** A new one, which runs. */
  static async start(): Promise<Redis> {
    const user = new User(userInfo().username);
    const server = new Redis(await freePort(), user.folder('slabpool-redis-'), user);
    await server.start();
    return server;
  }

  private constructor(port: number, folder: string, user: User) {
    const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no', daemonize: 'no' };
    super(port, folder, user, {
      command: redisProgram(),
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]),
      ready: 'Ready to accept connections',
      orphan: 'SIGKILL',
    });
  }

  /** For a client of it that neither connects by itself nor again: a pool does. */
  get config() {
    return { host: '127.0.0.1', port: this.port, lazyConnect: true, retryStrategy: () => null };
  }

  /** How many clients are connected, but for the one that asks. */
  async connections(): Promise<number> {
    const client = new Client(this.config);
    client.on('error', () => {});
    await client.connect();
    try {
      return (
        String(await client.client('LIST'))
          .trim()
          .split('\n').length - 1
      );
    } finally {
      client.disconnect();
    }
  }
}
