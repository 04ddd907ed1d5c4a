#!/usr/bin/env node
// The page's build as the C build calls it: npm ci, vite build, embed, each only when its inputs changed.
// What was built is kept in web/ (node_modules, dist) with a hash of its inputs, so that several build
// folders - dev, release, asan - share one build of the page. A lock folder keeps them from meeting.
//
//   node build.mjs OUT_DIR
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { embed } from "./embed.mjs";

const web = dirname(fileURLToPath(import.meta.url));
const outDir = resolve(process.argv[2] ?? join(web, "dist-embedded"));

const LOCK_WAIT_MS = 10 * 60 * 1000;

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function lockHolderIsGone(lock) {
  try {
    process.kill(Number(readFileSync(join(lock, "pid"), "utf8")), 0);
    return false;
  } catch (err) {
    // No pid file yet means that its owner is just being born.
    return err.code === "ESRCH" || (err.code === "ENOENT" && Date.now() - statSync(lock).mtimeMs > 5000);
  }
}

function withLock(work) {
  const lock = join(web, ".build-lock");
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (err) {
      if (err.code !== "EEXIST") throw err;
      let gone = false;
      try { gone = lockHolderIsGone(lock); } catch { /* released meanwhile */ }
      if (gone) rmSync(lock, { recursive: true, force: true });
      else if (Date.now() > deadline) throw new Error(`another build holds ${lock}`);
      else sleep(200);
    }
  }
  try {
    writeFileSync(join(lock, "pid"), String(process.pid));
    return work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function hashOf(...paths) {
  const hash = createHash("sha256");
  const add = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) add(join(path, name));
      return;
    }
    hash.update(path.slice(web.length)).update("\0").update(readFileSync(path)).update("\0");
  };
  for (const path of paths) add(join(web, path));
  return hash.digest("hex");
}

function unlessStamped(stamp, hash, work) {
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  rmSync(stamp, { force: true });
  work();
  writeFileSync(stamp, hash);
}

const npm = (...args) =>
  execFileSync("npm", args, { cwd: web, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, CI: "1" } });

withLock(() => {
  // The same stamp as script/bootstrap's, which may have been here before: the output of sha256sum.
  const lock = createHash("sha256").update(readFileSync(join(web, "package-lock.json"))).digest("hex");
  unlessStamped(join(web, "node_modules/.sluice-lock"), `${lock}  -\n`, () => npm("ci", "--no-audit", "--no-fund"));
  const sources = hashOf("package-lock.json", "package.json", "index.html", "vite.config.ts", "budget.mjs", "tsconfig.json", "public", "src", "client");
  unlessStamped(join(web, "dist/.sluice-stamp"), sources, () => npm("run", "--silent", "build"));
  mkdirSync(outDir, { recursive: true });
  const { files, bytes } = embed(outDir, join(web, "dist"));
  console.log(`ui_assets: ${files} files, ${(bytes / 1024).toFixed(0)} kB compressed`);
});
