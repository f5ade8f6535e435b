import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Client, type ClientConfig } from 'pg';
import { postgresProgram } from '../../scripts/servers.js';
import { freePort, Server, User } from './server.js';

/** A PostgreSQL server whose data need not survive the machine. */
export class Postgres extends Server {
  /** A new one, which runs. `connections`: how many it takes at once, three more for its superuser included. */
  static async start(connections = 100): Promise<Postgres> {
    const user = new User('postgres');
    const folder = user.folder('slabpool-postgres-');
    const data = join(folder, 'data');
    const made = [postgresProgram('initdb'), '--pgdata', data, '--username=postgres', '--auth=trust', '--no-sync'];
    const locale = ['--no-locale', '--encoding=UTF8'];
    execFileSync('setpriv', [...user.privileges, '--', ...made, ...locale], { cwd: folder, stdio: 'pipe' });
    const server = new Postgres(await freePort(), folder, user, data, connections);
    await server.start();
    return server;
  }

  private constructor(port: number, folder: string, user: User, data: string, connections: number) {
    const settings = {
      ...{ port, listen_addresses: '127.0.0.1', unix_socket_directories: folder, max_connections: connections },
      ...{ fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '16MB' },
      ...{ lc_messages: 'C', logging_collector: 'off', log_destination: 'stderr' },
    };
    super(port, folder, user, {
      command: postgresProgram('postgres'),
      args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      ready: 'database system is ready to accept connections',
      orphan: 'SIGQUIT',
    });
  }

  /** For a client of it. */
  get config(): ClientConfig {
    return { host: '127.0.0.1', port: this.port, user: 'postgres', database: 'postgres' };
  }

  /** How many clients are connected, but for the one that asks; of those that call themselves so. */
  async connections(applicationName?: string): Promise<number> {
    const others = `FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    const [row] = await this.query(
      `SELECT count(*)::int AS n ${others} AND ($1::text IS NULL OR application_name = $1)`,
      [applicationName ?? null],
    );
    return row?.['n'] as number;
  }

  /** Cuts all connections but the one that asks: `pg_terminate_backend`. Resolves to how many there were. */
  async cut(): Promise<number> {
    const others = `pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    return (await this.query(`SELECT pg_terminate_backend(pid) FROM ${others}`)).length;
  }

  /** Over a connection of its own. */
  async query(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new Client(this.config);
    await client.connect();
    try {
      return (await client.query(sql, values)).rows;
    } finally {
      await client.end();
    }
  }
}
