// A schedule as its form has it, and back.

import type { JsonObject, Schedule, ScheduleBody } from "@sluice/client";
import { planOf } from "./cron";

export interface ScheduleForm {
  name: string; workflow_id: string; cron: string;
  /** The cron text itself is being edited, though it may be a usual one. */
  asText: boolean;
  time_zone: string;
  input: JsonObject;
  missed: Schedule["missed"]; overlap: Schedule["overlap"];
  enabled: boolean;
}

export const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export const scheduleForm = (s: Schedule | undefined, workflow = ""): ScheduleForm => ({
  name: s?.name ?? "", workflow_id: s?.workflow_id ?? workflow, cron: s?.cron ?? "0 9 * * MON-FRI", asText: s ? planOf(s.cron).kind === "text" : false,
  time_zone: s?.time_zone ?? ownZone(), input: s?.input ?? {}, missed: s?.missed ?? "skip", overlap: s?.overlap ?? "allow", enabled: s?.enabled ?? true,
});

export const scheduleBody = (f: ScheduleForm): ScheduleBody => ({
  name: f.name.trim() || undefined, workflow_id: f.workflow_id, cron: f.cron.trim(), time_zone: f.time_zone.trim() || undefined,
  input: f.input, missed: f.missed, overlap: f.overlap, enabled: f.enabled,
});
