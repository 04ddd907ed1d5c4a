// The workflows that the tests run on the real server.
const agent = (name, prompt, next) => ({ type: 'agent', name, properties: { name, persona: `You are ${name}.`, prompt }, next_ids: [next] });
const topic = { type: 'object', required: ['topic'], properties: { topic: { type: 'string', title: 'Topic', minLength: 2 } } };

export const council = {
  id: 'council-debate', name: 'Council debate', start_node_id: 'start', input_schema: topic,
  nodes: {
    start: { type: 'start', next_ids: ['panel'] },
    panel: { type: 'parallel', name: 'Panel', next_ids: ['pro', 'con'] },
    pro: agent('Affirmative', 'THINK, then argue for {{ input.topic }}', 'judge'),
    con: agent('Negative', 'Argue against {{ input.topic }}', 'judge'),
    judge: { type: 'llm', name: 'Judge', properties: { prompt: 'Weigh:\n{{ nodes.pro.output }}\n{{ nodes.con.output }}' }, next_ids: ['review'] },
    review: {
      type: 'human_review', name: 'Review', routes: { approve: 'end', reject: 'judge', modify: 'end' },
      properties: { review_type: 'approve_reject', prompt: 'Is it fair?', draft: '{{ nodes.judge.output }}', timeout_minutes: 30 },
    },
    end: { type: 'end' },
  },
};

export const interview = {
  id: 'interview', name: 'Interview', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'llm', name: 'Interviewer', properties: { prompt: 'Ask something.' }, next_ids: ['answer'] },
    answer: { type: 'user_input', name: 'Your answer', properties: { prompt: 'What should it stress?' }, next_ids: ['sum'] },
    sum: { type: 'llm', name: 'Summary', properties: { prompt: 'Sum up {{ nodes.answer.output }}' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

export const plain = {
  id: 'plain', name: 'One call', start_node_id: 'start', input_schema: topic,
  nodes: {
    start: { type: 'start', next_ids: ['speak'] },
    speak: { type: 'llm', name: 'Speaker', properties: { prompt: '{{ input.topic }}' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
