// Line icons, drawn on a 16 grid. They stand beside words, so they are hidden from screen readers.

import type { ReactNode } from "react";

const shapes: Record<string, ReactNode> = {
  start: <path d="M5.500 3.500v9l7-4.500z" />,
  end: <><path d="M4 14V2.500" /><path d="M4 3h8l-2 2.700 2 2.800H4" /></>,
  llm: <><path d="M8 2l1.500 4.500L14 8l-4.500 1.500L8 14l-1.500-4.500L2 8l4.500-1.500z" /></>,
  agent: <><circle cx="8" cy="5.500" r="2.700" /><path d="M2.800 13.700c.6-2.700 2.600-4 5.200-4s4.600 1.300 5.200 4" /></>,
  tool: <path d="M10 2.500a3.500 3.500 0 0 0-3.300 4.700L2.500 11.400 4.600 13.500l4.200-4.200A3.500 3.500 0 0 0 13.300 5L11 7 9 5l2-2.300z" />,
  script: <><path d="M5 5L2 8l3 3M11 5l3 3-3 3M9.300 3.500l-2.600 9" /></>,
  transform: <><path d="M2.500 5.500h9M9 3l2.500 2.500L9 8M13.500 10.500h-9M7 8l-2.500 2.500L7 13" /></>,
  switch: <><path d="M2 8h3.500l4-4.500H14M5.500 8l4 4.500H14" /></>,
  parallel: <><path d="M3 3v10M13 3v10M8 3v10" /></>,
  loop: <><path d="M13 8a5 5 0 1 1-1.700-3.700" /><path d="M13.500 2v3h-3" /></>,
  vote: <><path d="M3 8.500l3 3 7-7" /></>,
  human_review: <><path d="M2 8s2.200-4 6-4 6 4 6 4-2.200 4-6 4-6-4-6-4z" /><circle cx="8" cy="8" r="1.600" /></>,
  user_input: <><path d="M2.500 3.500h11v7.500H7l-3 2.500V11H2.500z" /></>,
  wait: <><circle cx="8" cy="8" r="5.500" /><path d="M8 5v3.200l2 1.300" /></>,
  node: <rect x="3" y="3" width="10" height="10" rx="2.500" />,
  plus: <path d="M8 3v10M3 8h10" />,
  pause: <path d="M5.500 3.500v9M10.500 3.500v9" />,
  play: <path d="M5.500 3.500v9l7-4.500z" />,
  stop: <rect x="4" y="4" width="8" height="8" rx="1" />,
  close: <path d="M4 4l8 8M12 4l-8 8" />,
  check: <path d="M3 8.500l3.300 3.300L13 4.800" />,
  cross: <path d="M4.500 4.500l7 7M11.500 4.500l-7 7" />,
  skip: <path d="M3 8h10" />,
  dot: <circle cx="8" cy="8" r="2.500" />,
  chevron: <path d="M6 4l4 4-4 4" />,
  down: <path d="M8 3v10M4 9l4 4 4-4" />,
  menu: <path d="M2.500 4.500h11M2.500 8h11M2.500 11.500h11" />,
  search: <><circle cx="7" cy="7" r="4" /><path d="M10 10l3.500 3.500" /></>,
  warn: <><path d="M8 2.500l6 10.500H2z" /><path d="M8 6.500v3M8 11.200v.1" /></>,
  file: <><path d="M4 2h5l3 3v9H4z" /><path d="M9 2v3h3" /></>,
  graph: <><circle cx="8" cy="3.500" r="1.700" /><circle cx="4" cy="12" r="1.700" /><circle cx="12" cy="12" r="1.700" /><path d="M7.300 5l-2.600 5.500M8.700 5l2.600 5.500" /></>,
  fit: <path d="M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10" />,
  minus: <path d="M3 8h10" />,
  again: <><path d="M3 8a5 5 0 1 0 1.700-3.700" /><path d="M2.500 2v3h3" /></>,
};
const alias: Record<string, string> = {
  map: "parallel", sequence: "down", fact_check: "search", stage: "check", signal: "warn", memory_retrieval: "search",
  context_synth: "file", subworkflow: "graph", task: "tool",
};

export function Icon({ name, size = 16 }: { name: string; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor"
      strokeWidth="1.500" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      {shapes[name] ?? shapes[alias[name] ?? "node"]}
    </svg>
  );
}

export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" className="mark">
      <rect width="32" height="32" rx="8" className="mark-ground" />
      <path d="M8 7v18M24 7v18M8 11h16" stroke="#fff" strokeWidth="2.600" strokeLinecap="round" />
      <path d="M11 18c1.700-1.600 3.300-1.600 5 0s3.300 1.600 5 0M11 23c1.700-1.600 3.300-1.600 5 0s3.300 1.600 5 0"
        fill="none" stroke="#7fe0e6" strokeWidth="2.200" strokeLinecap="round" />
    </svg>
  );
}
