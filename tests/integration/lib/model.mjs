// A model server that asks for one tool, and when it has what that gave, says it.
import { createServer } from 'node:http';

// toolOf: of a request, the {name, arguments} to call.
export async function modelServer(toolOf) {
  const requests = [];
  const chunk = (delta, finish) =>
    `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const http = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      const request = JSON.parse(body);
      requests.push(request);
      const last = request.messages.at(-1);
      const told = last.role === 'tool';
      const tool = told ? null : toolOf(request);
      const delta = told
        ? { content: `It said: ${last.content}` }
        : { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: tool.name, arguments: JSON.stringify(tool.arguments) } }] };
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(`${chunk(delta, null)}${chunk({}, told ? 'stop' : 'tool_calls')}data: [DONE]\n\n`);
    });
  });
  await new Promise((done) => http.listen(0, '127.0.0.1', done));
  return {
    requests,
    url: `http://127.0.0.1:${http.address().port}/v1`,
    close() { http.closeAllConnections(); http.close(); },
  };
}
