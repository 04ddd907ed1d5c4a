// The usual schedules as a few fields, and the five fields of cron that they stand for. Everything else is text.

export type Plan =
  | { kind: "minutes"; every: number }
  | { kind: "hourly"; minute: number }
  | { kind: "daily"; at: string }
  | { kind: "weekly"; days: number[]; at: string }
  | { kind: "monthly"; day: number; at: string }
  | { kind: "text"; text: string };

export type PlanKind = Plan["kind"];

const WORDS: Record<string, string> = {
  "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
};
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/** As weeks are read: Monday first, Sunday last; cron's numbers. */
export const WEEK = [1, 2, 3, 4, 5, 6, 0] as const;
export const EVERY = [1, 2, 5, 10, 15, 20, 30] as const;

const two = (n: number) => String(n).padStart(2, "0");

function time(hour: string, minute: string): string | undefined {
  return /^\d{1,2}$/.test(hour) && /^\d{1,2}$/.test(minute) && Number(hour) < 24 && Number(minute) < 60 ? `${two(Number(hour))}:${two(Number(minute))}` : undefined;
}

const dayOf = (word: string): number => (/^[0-7]$/.test(word) ? Number(word) % 7 : DAYS.indexOf(word.toUpperCase()));

/** "MON-FRI", "1,3,5", "6-7"; undefined where it is something else. */
function daysOf(field: string): number[] | undefined {
  const found = new Set<number>();
  for (const part of field.split(",")) {
    const [from, to, more] = part.split("-");
    const first = dayOf(from ?? "");
    const last = to === undefined ? first : dayOf(to);
    if (first < 0 || last < 0 || more !== undefined) return undefined;
    // Sunday at the end of a range is 7.
    const end = to !== undefined && last < first && last === 0 ? 7 : last;
    if (end < first) return undefined;
    for (let d = first; d <= end; d++) found.add(d % 7);
  }
  return WEEK.filter((d) => found.has(d));
}

export function planOf(cron: string): Plan {
  const trimmed = cron.trim();
  const fields = (WORDS[trimmed.toLowerCase()] ?? trimmed).split(/\s+/);
  const text: Plan = { kind: "text", text: cron };
  if (fields.length !== 5) return text;
  const [minute, hour, day, month, week] = fields as [string, string, string, string, string];
  if (month !== "*") return text;
  const free = day === "*" && week === "*";
  const step = /^\*(?:\/(\d+))?$/.exec(minute);
  if (step && hour === "*" && free) {
    const every = Number(step[1] ?? 1);
    return EVERY.some((e) => e === every) ? { kind: "minutes", every } : text;
  }
  if (hour === "*" && free && /^\d{1,2}$/.test(minute) && Number(minute) < 60) return { kind: "hourly", minute: Number(minute) };
  const at = time(hour, minute);
  if (!at) return text;
  if (free) return { kind: "daily", at };
  if (day === "*") {
    const days = daysOf(week);
    return days ? { kind: "weekly", days, at } : text;
  }
  return week === "*" && /^\d{1,2}$/.test(day) && Number(day) >= 1 && Number(day) <= 31 ? { kind: "monthly", day: Number(day), at } : text;
}

/** Monday to Friday as a range, all else as a list. */
function weekField(days: readonly number[]): string {
  const sorted = WEEK.filter((d) => days.includes(d));
  if (sorted.join() === "1,2,3,4,5") return "MON-FRI";
  return sorted.length === 7 || sorted.length === 0 ? "*" : sorted.map((d) => DAYS[d]).join(",");
}

export function cronOf(plan: Plan): string {
  if (plan.kind === "text") return plan.text;
  if (plan.kind === "minutes") return plan.every === 1 ? "* * * * *" : `*/${plan.every} * * * *`;
  if (plan.kind === "hourly") return `${plan.minute} * * * *`;
  const [hour, minute] = plan.at.split(":").map(Number);
  const clock = `${minute ?? 0} ${hour ?? 0}`;
  if (plan.kind === "daily") return `${clock} * * *`;
  if (plan.kind === "weekly") return `${clock} * * ${weekField(plan.days)}`;
  return `${clock} ${plan.day} * *`;
}

/** Another kind, with what the old plan says that fits. */
export function planAs(kind: PlanKind, from: Plan): Plan {
  const at = "at" in from ? from.at : "09:00";
  switch (kind) {
    case "minutes": return { kind, every: 15 };
    case "hourly": return { kind, minute: Number(at.split(":")[1]) };
    case "daily": return { kind, at };
    case "weekly": return { kind, at, days: from.kind === "weekly" ? from.days : [1, 2, 3, 4, 5] };
    case "monthly": return { kind, at, day: 1 };
    default: return { kind: "text", text: cronOf(from) };
  }
}
