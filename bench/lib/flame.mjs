// Flame graphs: stacks from `perf script` or a call graph of callgrind, folded into a tree, drawn as one small SVG.
// The width of a box is the share of all samples (or instructions) in which the function stood on the stack.

/** A tree: { name, kind, value, children: Map }. value: what it and all above it took. */
export const root = () => ({ name: 'all', kind: 'all', value: 0, children: new Map() });

export function addStack(tree, frames, value = 1) {
  tree.value += value;
  let at = tree;
  for (const { name, kind } of frames) {
    let next = at.children.get(name);
    if (!next) at.children.set(name, next = { name, kind, value: 0, children: new Map() });
    next.value += value;
    at = next;
  }
}

const KINDS = [[/kernel|vmlinux|\[vdso\]/, 'kernel'], [/sqlite/, 'sqlite'], [/postgres|libpq/, 'postgres'], [/libc[.-]|ld-linux|libm[.-]/, 'libc'], [/websockets|libuv|libcurl|libssl|libcrypto|hiredis/, 'network'], [/lua/, 'lua'], [/lz4|libz[.]/, 'packing']];
export const kindOf = (object) => KINDS.find(([re]) => re.test(object))?.[1] ?? 'ours';

/**
 * The text of `perf script -F comm,ip,sym,dso`: a line with the thread's name, then frames from the inner to the
 * outer one, then an empty line. Frames that nobody can name are left out: the same stack without them.
 */
export function foldPerf(text, tree = root()) {
  for (const sample of text.split(/\n\s*\n/)) {
    const [head, ...lines] = sample.split('\n').filter((l) => l.trim());
    if (!head || !lines.length) continue;
    const frames = lines.map((l) => /^\s*[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$/.exec(l)).filter((m) => m && m[1] !== '[unknown]')
      .map(([, name, object]) => ({ name: name.replace(/\.(lto_priv|isra|constprop|part|cold)(\.\d+)*/g, '').replace(/@.*$/, ''), kind: kindOf(object) })).reverse();
    const outer = frames.findIndex((f) => !/^(_start|__libc_start|start_thread|clone|__clone|main$|_Fork)/.test(f.name));
    addStack(tree, [{ name: head.trim(), kind: 'thread' }, ...frames.slice(Math.max(0, outer))]);
  }
  return tree;
}

/**
 * A callgrind file (--compress-strings=no --compress-pos=no). It knows callers, not whole stacks: what a function took
 * is shared among its callers by how often each made it work, which is exact where it has one.
 */
export function foldCallgrind(text, tree = root()) {
  const fns = new Map();
  const get = (name, object) => {
    if (!fns.has(name)) fns.set(name, { name: name.replace(/'\d+$/, ''), kind: kindOf(object), self: 0, inclusive: 0, calls: [], isCalled: false });
    return fns.get(name);
  };
  let object = '', callee = '', fn, to, isCall = false;
  for (const line of text.split('\n')) {
    const m = /^(ob|fn|cob|cfn|calls)=(.*)$/.exec(line);
    if (m) {
      if (m[1] === 'ob') object = m[2];
      else if (m[1] === 'fn') { fn = get(m[2], object); callee = object; }
      else if (m[1] === 'cob') callee = m[2];
      else if (m[1] === 'cfn') to = get(m[2], callee);
      else isCall = true;
    } else if (fn && /^[+\-*\d]/.test(line)) {
      const cost = Number(line.split(' ')[1] ?? 0);
      fn.inclusive += cost;
      if (isCall) { fn.calls.push([to, cost]); to.isCalled ||= to !== fn; callee = object; } else fn.self += cost;
      isCall = false;
    }
  }
  const walk = (f, share, frames) => {
    const here = [...frames, { name: f.name, kind: f.kind }];
    let rest = f.inclusive * share;
    for (const [child, cost] of f.calls) {
      const part = cost * share;
      if (child.inclusive === 0 || frames.length > 60 || here.some((h) => h.name === child.name) || part < total / 2000) continue;
      rest -= part;
      walk(child, Math.min(1, part / child.inclusive), here);
    }
    if (rest > 0) addStack(tree, here, rest);
  };
  const tops = [...fns.values()].filter((f) => !f.isCalled);
  const total = tops.reduce((n, f) => n + f.inclusive, 0);
  for (const f of tops) walk(f, 1, []);
  return tree;
}

const WIDTH = 1200, ROW = 17, LETTER = 6.6;
const COLOURS = { ours: '#f2a65a', kernel: '#a9b8c9', sqlite: '#8fc1a9', postgres: '#8fb3d9', libc: '#d9cfa3', network: '#c9a7d6', lua: '#e2b1b1', packing: '#c8d6a0', thread: '#e6e6e6', all: '#f5f5f5' };
const escape = (s) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** Boxes of less than `least` of all are not drawn: what stands below them has their width still. */
export function flameSvg(tree, title, least = 0.0015) {
  const boxes = [];
  let deepest = 0;
  const place = (node, x, depth) => {
    const share = node.value / tree.value;
    if (share < least) return;
    deepest = Math.max(deepest, depth);
    boxes.push({ node, x, depth, share });
    let at = x;
    for (const child of [...node.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      place(child, at, depth + 1);
      at += child.value / tree.value;
    }
  };
  place(tree, 0, 0);
  const height = (deepest + 1) * ROW + 56;
  const draw = ({ node, x, depth, share }) => {
    const w = share * WIDTH, left = (x * WIDTH).toFixed(1), y = height - 26 - (depth + 1) * ROW;
    const room = Math.floor((w - 4) / LETTER), name = node.name;
    const label = room < 3 ? '' : `<text x="${(x * WIDTH + 2).toFixed(1)}" y="${y + 12}">${escape(name.length > room ? `${name.slice(0, room - 1)}…` : name)}</text>`;
    return `<g><title>${escape(name)} ${(share * 100).toFixed(1)} %</title><rect x="${left}" y="${y}" width="${Math.max(0.3, w - 0.4).toFixed(1)}" height="${ROW - 1}" fill="${COLOURS[node.kind]}"/>${label}</g>`;
  };
  const kinds = [...new Set(boxes.map((b) => b.node.kind))].filter((k) => COLOURS[k] && k !== 'all');
  const legend = kinds.map((k, i) => `<rect x="${i * 90 + 4}" y="${height - 20}" width="12" height="12" fill="${COLOURS[k]}"/><text x="${i * 90 + 20}" y="${height - 10}">${k}</text>`).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">\n<rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="4" y="18" font-size="14">${escape(title)}</text>\n${boxes.map(draw).join('\n')}\n${legend}</svg>\n`;
}

/** What takes most by itself: [name, kind, share], for the words beside the picture. */
export function top(tree, count = 25) {
  const self = new Map();
  const walk = (node) => {
    const own = node.value - [...node.children.values()].reduce((n, c) => n + c.value, 0);
    if (own > 0) self.set(`${node.name}\t${node.kind}`, (self.get(`${node.name}\t${node.kind}`) ?? 0) + own);
    node.children.forEach(walk);
  };
  walk(tree);
  return [...self].sort((a, b) => b[1] - a[1]).slice(0, count).map(([k, v]) => [...k.split('\t'), v / tree.value]);
}

/** Share of each kind by itself. */
export function kinds(tree) {
  const shares = new Map();
  const walk = (node) => {
    const own = node.value - [...node.children.values()].reduce((n, c) => n + c.value, 0);
    shares.set(node.kind, (shares.get(node.kind) ?? 0) + own / tree.value);
    node.children.forEach(walk);
  };
  walk(tree);
  return [...shares].filter(([, v]) => v > 0.0005).sort((a, b) => b[1] - a[1]);
}

/** How much of all stood in any function whose name matches, each sample once. */
export function within(tree, pattern) {
  const walk = (node) => (pattern.test(node.name) ? node.value : [...node.children.values()].reduce((n, c) => n + walk(c), 0));
  return walk(tree) / tree.value;
}

/** What stood anywhere on the stack: [name, share], of one kind, each sample once. */
export function inclusive(tree, kind, count = 25) {
  const names = new Set();
  const walk = (node) => { if (node.kind === kind) names.add(node.name); node.children.forEach(walk); };
  walk(tree);
  return [...names].map((name) => [name, share(tree, name)]).sort((a, b) => b[1] - a[1]).slice(0, count);
}

function share(tree, name) {
  const walk = (node) => (node.name === name ? node.value : [...node.children.values()].reduce((n, c) => n + walk(c), 0));
  return walk(tree) / tree.value;
}
