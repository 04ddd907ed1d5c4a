#!/usr/bin/env node
// How much a first visit loads, compressed as the server sends it: index.html, what it names, and the start view with
// what that imports. Fails beyond the limit. The rest (editor, graph, charts, maths) comes when it is opened.
//
//   node budget.mjs [--all]     --all lists every chunk
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const FIRST_LOAD_MAX = 170_000; // bytes; the promise is 250,000
const CHUNK_MAX = 400_000; // of one that comes later
const START = "src/views/start/start.tsx";

const dist = join(dirname(fileURLToPath(import.meta.url)), "dist");
const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
const size = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
const kB = (bytes) => `${(bytes / 1000).toFixed(1).padStart(7)} kB`;

/** The files that come with a chunk: itself, its styles, what it imports at once. */
function filesOf(key, into = new Set()) {
  const chunk = manifest[key];
  if (!chunk) throw new Error(`budget: the build has no ${key}`);
  if (into.has(chunk.file)) return into;
  into.add(chunk.file);
  for (const css of chunk.css ?? []) into.add(css);
  for (const name of chunk.imports ?? []) filesOf(name, into);
  return into;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
// A chunk from which later ones take parts bears no file's name in the manifest, only its own.
const start = manifest[START] ? START : Object.keys(manifest).find((key) => manifest[key].isDynamicEntry && manifest[key].name === "start") ?? START;
const first = filesOf(start, filesOf(entry));
const icon = existsSync(join(dist, "icon.svg")) ? ["icon.svg"] : [];
const total = ["index.html", ...icon, ...first].reduce((sum, file) => sum + size(file), 0);

const later = [...new Set(Object.values(manifest).flatMap((c) => [c.file, ...(c.css ?? [])]))]
  .filter((file) => !first.has(file)).map((file) => [file, size(file)]).sort((a, b) => b[1] - a[1]);

console.log(`first load ${kB(total)} of ${kB(FIRST_LOAD_MAX)}`);
if (process.argv.includes("--all")) for (const file of first) console.log(`  ${kB(size(file))}  ${file}`);
console.log(`${later.length} files that come later, ${kB(later.reduce((sum, [, n]) => sum + n, 0))} in all`);
for (const [file, n] of later.slice(0, process.argv.includes("--all") ? undefined : 8)) console.log(`  ${kB(n)}  ${file}`);

const large = later.filter(([, n]) => n > CHUNK_MAX);
if (total > FIRST_LOAD_MAX) console.error(`budget: a first visit loads ${total} bytes, ${total - FIRST_LOAD_MAX} too many`);
for (const [file, n] of large) console.error(`budget: ${file} has ${n} bytes, and no chunk may have more than ${CHUNK_MAX}`);
if (total > FIRST_LOAD_MAX || large.length) process.exit(1);
