// Workflows and canned text for fake-server.mjs.

const schema = (properties, required) => ({ type: "object", properties, required });

export const workflows = [
  {
    id: "council-debate", name: "Council debate", version: 1,
    description: "Two sides argue in parallel, a judge weighs them, a person has the last word.",
    start_node_id: "start",
    input_schema: schema({
      topic: { type: "string", title: "Topic", description: "What the council debates.", examples: ["Should small teams write their own database?"] },
      tone: { type: "string", title: "Tone", enum: ["measured", "lively", "blunt"], default: "measured" },
      rounds: { type: "integer", title: "Rounds at most", minimum: 1, maximum: 5, default: 3 },
      cite: { type: "boolean", title: "Ask for sources", default: false },
    }, ["topic"]),
    nodes: {
      start: { type: "start", next_ids: ["rounds"] },
      rounds: { type: "loop", name: "Rounds", properties: { max_rounds: 3 }, next_ids: ["panel", "end"] },
      panel: { type: "parallel", name: "Panel", next_ids: ["pro", "con", "use"] },
      pro: { type: "agent", name: "In favour", properties: { name: "Ada", persona: "Argues for." }, next_ids: ["judge"] },
      con: { type: "agent", name: "Against", properties: { name: "Boris", persona: "Argues against." }, next_ids: ["judge"] },
      use: { type: "agent", name: "In practice", properties: { name: "Chen", persona: "Has to make it work." }, next_ids: ["judge"] },
      judge: { type: "llm", name: "Judge", properties: { prompt: "Weigh:\n{{ nodes.pro.output }}\n{{ nodes.con.output }}" }, next_ids: ["review"] },
      review: { type: "human_review", name: "Review", properties: { review_type: "approve_reject", timeout_minutes: 30 }, routes: { approve: "end", modify: "end", reject: "rounds" } },
      end: { type: "end" },
    },
  },
  {
    id: "hello", name: "Hello", version: 1, description: "One model call, the smallest workflow.", start_node_id: "start",
    input_schema: schema({ name: { type: "string", title: "Your name" } }, []),
    nodes: {
      start: { type: "start", next_ids: ["greet"] },
      greet: { type: "llm", name: "Greeter", properties: { prompt: "Greet {{ input.name }}." }, next_ids: ["end"] },
      end: { type: "end" },
    },
  },
  {
    id: "interview", name: "Interview", version: 1, description: "A model asks, you answer, it sums up.", start_node_id: "start",
    nodes: {
      start: { type: "start", next_ids: ["ask"] },
      ask: { type: "llm", name: "Interviewer", next_ids: ["answer"] },
      answer: { type: "user_input", name: "Your answer", properties: { prompt: "What should the summary stress?" }, next_ids: ["sum", "appendix"] },
      sum: { type: "llm", name: "Summary", next_ids: ["end"] },
      appendix: { type: "script", name: "Appendix", next_ids: ["end"] },
      end: { type: "end" },
    },
  },
];

export const lines = {
  proThinking: "The strongest case is not speed but control. I should open with the cost of the unknown, then give two concrete situations, and concede the obvious objection early.",
  judgeThinking: "Both sides argue from cost, but they count different costs: one counts the building, the other the owning.",
  pro: (topic, round) => `**Round ${round}, for.** On *${topic}*, three things speak in favour:

1. **You know what it does.** A part you wrote has no surprises that you did not put there; when it breaks at night, the person on call has read every line.
2. **It is small.** A general tool carries the needs of ten thousand strangers. Yours carries one need, and can be finished.
3. **It is measured.** The budget is known: one commit costs \`0.2 ms\`, and nothing else is on the path.

The objection is that others have already paid for these lessons. True, and their write-ups are public.
`,
  con: (topic, round) => `**Round ${round}, against.** The case for is a case for *reading* code, not for writing it. Consider what is left out:

- The first version takes a month. The **second**, after the power cut, takes a year.
- Every hour on storage is an hour not spent on *${topic}* as customers see it.
- People leave. What one person knew by heart becomes what nobody dares to touch.

> The cheapest component is the one whose bugs somebody else found in 2009.

Boring is a feature.
`,
  use: (topic) => `Monday morning, then. Take the smallest part of *${topic}* that can be undone, do it for two weeks, and count one thing. If the count does not move, stop; nobody will have been hurt.
`,
  judge: (topic, round) => `## Verdict, round ${round}

Both sides agree more than they admit: **owning** a part is what costs, and writing it is only the first instalment.

| | for | against |
|---|---|---|
| control | strong | weak |
| time to first use | weak | strong |
| time to trust | open | strong |

On *${topic}*: build it where it *is* the product, and nowhere else. The affirmative wins on control, the negative on time; on balance, **a narrow yes**, with a date by which it must have paid for itself.
`,
  hello: (name) => `Hello ${name}! This is canned text from a stand-in, one word at a time, so that there is something to watch. 🌊`,
  ask: "Before I sum this up: what matters most to you here, and what should I leave out?",
  sum: (said) => `You asked for: ${said || "nothing in particular"}. Here is the short version, with the rest left out on purpose.`,
};
