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
  settings: <><circle cx="8" cy="8" r="2" /><path d="M8 1.800v2M8 12.200v2M1.800 8h2M12.200 8h2M3.600 3.600L5 5M11 11l1.400 1.400M12.400 3.600L11 5M5 11l-1.400 1.400" /></>,
  list: <path d="M5.500 4h8M5.500 8h8M5.500 12h8M2.500 4h.1M2.500 8h.1M2.500 12h.1" />,
  inbox: <><path d="M2.500 9L4.500 3h7l2 6v4h-11z" /><path d="M2.500 9H6l.8 1.500h2.400L10 9h3.500" /></>,
  group: <><circle cx="5.500" cy="6" r="2.200" /><path d="M1.500 13c.4-2.300 2-3.500 4-3.500s3.600 1.200 4 3.500M10.500 4a2.200 2.200 0 0 1 0 4.200M11.500 9.700c1.700.3 2.700 1.500 3 3.300" /></>,
  memory: <><ellipse cx="8" cy="4" rx="5" ry="2" /><path d="M3 4v8c0 1.100 2.200 2 5 2s5-.9 5-2V4M3 8c0 1.100 2.200 2 5 2s5-.9 5-2" /></>,
  chart: <path d="M2.500 2.500v11h11M5.500 10.500v-3M8.500 10.500v-6M11.500 10.500V6" />,
  calendar: <><rect x="2.500" y="3.500" width="11" height="10" rx="1.500" /><path d="M2.500 6.500h11M5.500 2v3M10.500 2v3" /></>,
  hook: <><circle cx="4" cy="11" r="2" /><circle cx="12" cy="11" r="2" /><circle cx="8" cy="4" r="2" /><path d="M7 5.700L5 9.300M9 5.700l2 3.600M6 11h4" /></>,
  key: <><circle cx="5" cy="11" r="2.700" /><path d="M7 9l6-6M11 5l2 2" /></>,
  audit: <><path d="M4 2h8v12H4z" /><path d="M6 5h4M6 8h4M6 11h2" /></>,
  model: <><rect x="3.500" y="3.500" width="9" height="9" rx="1.500" /><path d="M6 1.500v2M10 1.500v2M6 12.500v2M10 12.500v2M1.500 6h2M1.500 10h2M12.500 6h2M12.500 10h2" /></>,
  template: <><rect x="2.500" y="2.500" width="11" height="3.500" rx="1" /><rect x="2.500" y="8.500" width="4.500" height="5" rx="1" /><rect x="9.500" y="8.500" width="4" height="5" rx="1" /></>,
  edit: <path d="M3 13l.7-3L11 2.700l2.300 2.300L6 12.300z" />,
  trash: <path d="M3 4.500h10M6 4.500V2.500h4v2M4.500 4.500l.6 9h5.800l.6-9" />,
  copy: <><rect x="5.500" y="5.500" width="8" height="8" rx="1.300" /><path d="M10.500 5.500v-3h-8v8h3" /></>,
  fork: <><circle cx="4" cy="3.500" r="1.700" /><circle cx="12" cy="3.500" r="1.700" /><circle cx="8" cy="12.500" r="1.700" /><path d="M4 5.200C4 8.500 8 7.500 8 10.800M12 5.200C12 8.500 8 7.500 8 10.800" /></>,
  eye: <><path d="M2 8s2.200-4 6-4 6 4 6 4-2.200 4-6 4-6-4-6-4z" /><circle cx="8" cy="8" r="1.600" /></>,
  up: <path d="M8 13V3M4 7l4-4 4 4" />,
  undo: <><path d="M3 6h6.500a3.500 3.500 0 0 1 0 7H6" /><path d="M5.500 3L3 6l2.500 3" /></>,
  redo: <><path d="M13 6H6.500a3.500 3.500 0 0 0 0 7H10" /><path d="M10.500 3L13 6l-2.500 3" /></>,
  download: <><path d="M8 2.500v7.500M5 7l3 3 3-3" /><path d="M3 13.500h10" /></>,
  link: <><path d="M7 9a2.500 2.500 0 0 0 3.500 0l2-2A2.500 2.500 0 0 0 9 3.500l-.7.700" /><path d="M9 7a2.500 2.500 0 0 0-3.500 0l-2 2A2.500 2.500 0 0 0 7 12.500l.7-.7" /></>,
  "step-on": <path d="M4.500 3.500v9l6-4.500zM12.500 3.500v9" />,
  "step-back": <path d="M11.500 3.500v9l-6-4.500zM3.500 3.500v9" />,
  "skip-on": <path d="M2.500 4v8l5-4zM8.500 4v8l5-4z" />,
  "skip-back": <path d="M13.500 4v8l-5-4zM7.500 4v8l-5-4z" />,
  replay: <><circle cx="8" cy="8" r="5.800" /><path d="M6.500 5.500v5l4-2.500z" /></>,
  compare: <><rect x="2.500" y="3" width="4.500" height="10" rx="1" /><rect x="9" y="3" width="4.500" height="10" rx="1" /></>,
  follow: <><circle cx="8" cy="8" r="2.200" /><path d="M8 1.800v2.500M8 11.700v2.500M1.800 8h2.500M11.700 8h2.500" /></>,
  more: <path d="M3.500 8h.1M8 8h.1M12.500 8h.1" strokeWidth="2.200" />,
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
