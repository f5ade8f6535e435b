// A project that has slabpool among its dependencies, and nothing of what this user and machine have set.
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, extname, join } from 'node:path';
import process from 'node:process';
import { output } from './cases.js';

/** Nobody listens there: who asks a registry fails. */
const NO_REGISTRY = 'http://127.0.0.1:9/';
const SETTINGS = /^(npm_|pnpm_|yarn_|bun_|xdg_|(init_cwd|ci)$)/i;
/** Of commands that packages bring: pnpm has them run by a shell. */
const TOOLS = ['sh', 'env', 'sed', 'dirname', 'uname'];
const QUIET = { npm_config_audit: 'false', npm_config_update_notifier: 'false', npm_config_fetch_retries: '0' };

export class Project {
  #manager;
  #policy;
  #command;
  /** @type {NodeJS.ProcessEnv} */
  #env;
  /** @type {Record<string, string>} */
  #dependencies;

  /**
   * @param {string} folder that is there, and empty
   * @param {import('./managers.js').Manager} manager
   * @param {string} file of the manager
   * @param {string} node by which the manager runs
   * @param {string} policy one of the manager's
   * @param {string} slabpool what package.json says of it
   */
  constructor(folder, manager, file, node, policy, slabpool) {
    this.folder = folder;
    this.node = node;
    this.#manager = manager;
    this.#policy = manager.policies[policy] ?? {};
    this.#command = /^\.[cm]?js$/.test(extname(file)) ? [node, file] : [file];
    const home = join(folder, 'home');
    mkdirSync(home);
    const settings = Object.keys(process.env).filter((name) => SETTINGS.test(name));
    this.#env = {
      ...Object.fromEntries(settings.map((name) => [name, undefined])),
      ...QUIET,
      HOME: home,
      PATH: `${dirname(node)}${delimiter}${process.env['PATH']}`,
    };
    for (const [name, content] of Object.entries(this.#policy.files ?? {})) {
      writeFileSync(join(folder, name), content);
    }
    this.#dependencies = { slabpool };
  }

  /** From here on there is no compiler, nor what it would take to find one. */
  hideCompilers() {
    const tools = join(this.folder, 'home/tools');
    mkdirSync(tools);
    for (const name of TOOLS) symlinkSync(output('sh', ['-c', `command -v ${name}`]).trim(), join(tools, name));
    // Not a wrapper that looks for others.
    symlinkSync(output('python3', ['-c', 'import sys; print(sys.executable)']).trim(), join(tools, 'python3'));
    symlinkSync(this.node, join(tools, 'node'));
    this.#env['PATH'] = tools;
  }

  /**
   * @param {object} [options]
   * @param {Record<string, string>} [options.also] more packages, from a registry
   * @param {string} [options.registry]
   * @param {readonly string[]} [options.args]
   * @param {object} [options.manifest]
   * @param {NodeJS.ProcessEnv} [options.env]
   * @returns {string} what the manager said
   */
  install({ also = {}, registry = NO_REGISTRY, args = [], manifest = {}, env = {} } = {}) {
    const { args: ofPolicy = [], manifest: byPolicy = {} } = this.#policy;
    const dependencies = { ...this.#dependencies, ...also };
    const content = { name: 'project', version: '1.0.0', private: true, dependencies, ...byPolicy, ...manifest };
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify(content));
    const from = { npm_config_registry: registry, YARN_NPM_REGISTRY_SERVER: registry, BUN_CONFIG_REGISTRY: registry };
    return this.#run([...this.#command, 'install', ...ofPolicy, ...args], { ...from, ...env });
  }

  /** Runs a command of an installed package. @param {...string} command @returns {string} what it said */
  exec(...command) {
    const headers = dirname(dirname(this.node));
    // Else node-gyp fetches them from where Node.js is published.
    const own = existsSync(join(headers, 'include/node/node_api.h')) ? { npm_config_nodedir: headers } : {};
    return this.#run([...this.#command, ...this.#manager.exec, ...command], { MAKEFLAGS: '-j2', ...own });
  }

  /**
   * Runs a program as if it were one of the project.
   * @param {string} program
   * @param {readonly string[]} args
   * @param {string} [node] that runs it
   * @returns {string} what it said
   */
  program(program, args, node = this.node) {
    const copy = join(this.folder, basename(program));
    copyFileSync(program, copy);
    const command = this.#manager.node === undefined ? [node] : [...this.#command, ...this.#manager.node];
    // Node.js 22.12 alone gives one for every ES module that is required.
    return this.#run([...command, '--disable-warning=ExperimentalWarning', copy, ...args], {
      PATH: `${dirname(node)}${delimiter}${this.#env['PATH']}`,
    });
  }

  /** @param {readonly string[]} command @param {NodeJS.ProcessEnv} env */
  #run(command, env) {
    // One stream for both, so that nothing is overheard.
    const all = { cwd: this.folder, env: { ...this.#env, ...env } };
    return output('/bin/sh', ['-c', 'exec "$0" "$@" 2>&1', ...command], all)
      .replaceAll(this.folder, '')
      .trim();
  }
}
