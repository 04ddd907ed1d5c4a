// An MCP server of the modern generation (2026-07-28), on the published SDK: over stdio, or over HTTP with
// `http` as argument, when it says `listening on http://…` first.
import { createServer } from 'node:http';
import { McpServer, createMcpHandler, fromJsonSchema } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const numbers = { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } }, required: ['a', 'b'] };
const region = { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } }, required: ['region'] };
const text = (t) => ({ content: [{ type: 'text', text: t }] });
let cancelled = 0;

function build() {
  const server = new McpServer({ name: 'modern', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.registerTool('add', { description: 'adds', inputSchema: fromJsonSchema(numbers) }, async ({ a, b }) => text(String(a + b)));
  server.registerTool('where', { description: 'a region', inputSchema: fromJsonSchema(region) }, async (args) => text(args.region));
  server.registerTool('fail', { description: 'fails' }, async () => ({ ...text('it broke'), isError: true }));
  server.registerTool('cancelled', { description: 'how many waits were cancelled' }, async () => text(String(cancelled)));
  server.registerTool('wait', { description: 'waits to be cancelled' }, async (ctx) => {
    const token = ctx.mcpReq._meta?.progressToken;
    if (token !== undefined) {
      await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken: token, progress: 1, total: 2, message: 'half way' } });
    }
    await new Promise((done) => ctx.mcpReq.signal.addEventListener('abort', () => { cancelled++; done(); }));
    return text('never seen');
  });
  return server;
}

if (process.argv[2] === 'http') {
  const handler = createMcpHandler(build, { legacy: 'reject' });
  const http = createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const gone = new AbortController();
    res.on('close', () => gone.abort());
    const answer = await handler.fetch(new Request(`http://127.0.0.1${req.url}`, {
      method: req.method, headers: req.headers, signal: gone.signal, body: chunks.length ? Buffer.concat(chunks) : undefined,
    }));
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    try { for await (const c of answer.body ?? []) res.write(c); } catch { /* the client has gone */ }
    res.end();
  });
  http.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
} else {
  serveStdio(build, { legacy: 'reject' });
}
