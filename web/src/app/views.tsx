// Every view of the page: its address, where its code is, and its place in the menu. A view is loaded when
// it is first opened, so that what it needs (an editor, charts) costs nobody else anything.

import { type ComponentType } from "react";
import { late } from "@/ui/late";
import { dict, type Dict } from "@/words/words";

export interface ViewProps { params: Record<string, string>; query: URLSearchParams }

export interface NavWords {
  run: string; build: string; operate: string;
  start: string; sessions: string; reviews: string; workflows: string; templates: string; agents: string; groups: string; memory: string;
  dashboard: string; schedules: string; webhooks: string; models: string; keys: string; audit: string;
}

export const navWords: Dict<NavWords> = dict({
  en: {
    run: "Run", build: "Build", operate: "Operate",
    start: "Start", sessions: "Sessions", reviews: "Reviews", workflows: "Workflows", templates: "Templates", agents: "Agents", groups: "Groups",
    memory: "Memory", dashboard: "Dashboard", schedules: "Schedules", webhooks: "Webhooks", models: "Models", keys: "Keys", audit: "Audit",
  },
  zh: {
    run: "运行", build: "构建", operate: "运维",
    start: "开始", sessions: "会话", reviews: "审阅", workflows: "流程", templates: "模板", agents: "智能体", groups: "小组",
    memory: "记忆", dashboard: "仪表盘", schedules: "定时", webhooks: "Webhook", models: "模型", keys: "密钥", audit: "审计",
  },
});

export interface View {
  name: string;
  pattern: string;
  view: ComponentType<ViewProps>;
  nav?: { group: "run" | "build" | "operate"; word: keyof NavWords; icon: string; role?: "admin" };
}

const load = (get: () => Promise<{ default: ComponentType<ViewProps> }>) => late(get);

export const views: View[] = [
  { name: "start", pattern: "", view: load(() => import("@/views/start/start")), nav: { group: "run", word: "start", icon: "play" } },
  { name: "start", pattern: "new/:workflowId", view: load(() => import("@/views/start/start")) },
  { name: "compare", pattern: "compare/:a/:b", view: load(() => import("@/views/compare/compare")) },
  { name: "start", pattern: "new-from/:templateId", view: load(() => import("@/views/start/start")) },
  { name: "replay", pattern: "sessions/:id/replay", view: load(() => import("@/views/replay/replay")) },
  { name: "editor", pattern: "editor", view: load(() => import("@/views/editor/editor")) },
  { name: "editor", pattern: "workflows/:id/edit", view: load(() => import("@/views/editor/editor")) },
  { name: "sessions", pattern: "sessions", view: load(() => import("@/views/sessions/sessions")), nav: { group: "run", word: "sessions", icon: "list" } },
  { name: "reviews", pattern: "reviews", view: load(() => import("@/views/reviews/reviews")), nav: { group: "run", word: "reviews", icon: "inbox" } },
  { name: "reviews", pattern: "reviews/:interruptId", view: load(() => import("@/views/reviews/reviews")) },
  { name: "session", pattern: "sessions/:id", view: load(() => import("@/views/session/session")) },
  { name: "workflows", pattern: "workflows", view: load(() => import("@/views/workflows/workflows")), nav: { group: "build", word: "workflows", icon: "graph" } },
  { name: "versions", pattern: "workflows/:id/versions", view: load(() => import("@/views/workflows/versions")) },
  { name: "templates", pattern: "templates", view: load(() => import("@/views/templates/templates")), nav: { group: "build", word: "templates", icon: "template" } },
  { name: "agents", pattern: "agents", view: load(() => import("@/views/agents/agents")), nav: { group: "build", word: "agents", icon: "agent" } },
  { name: "agents", pattern: "agents/:id", view: load(() => import("@/views/agents/agents")) },
  { name: "groups", pattern: "groups", view: load(() => import("@/views/groups/groups")), nav: { group: "build", word: "groups", icon: "group" } },
  { name: "groups", pattern: "groups/:id", view: load(() => import("@/views/groups/groups")) },
  { name: "memory", pattern: "memory", view: load(() => import("@/views/memory/memory")), nav: { group: "build", word: "memory", icon: "memory" } },
  { name: "dashboard", pattern: "dashboard", view: load(() => import("@/views/dashboard/dashboard")), nav: { group: "operate", word: "dashboard", icon: "chart" } },
  { name: "schedules", pattern: "schedules", view: load(() => import("@/views/schedules/schedules")), nav: { group: "operate", word: "schedules", icon: "calendar" } },
  { name: "schedules", pattern: "schedules/:id", view: load(() => import("@/views/schedules/schedules")) },
  { name: "webhooks", pattern: "webhooks", view: load(() => import("@/views/webhooks/webhooks")), nav: { group: "operate", word: "webhooks", icon: "hook", role: "admin" } },
  { name: "webhooks", pattern: "webhooks/:id", view: load(() => import("@/views/webhooks/webhooks")) },
  { name: "models", pattern: "models", view: load(() => import("@/views/models/models")), nav: { group: "operate", word: "models", icon: "model" } },
  { name: "keys", pattern: "keys", view: load(() => import("@/views/keys/keys")), nav: { group: "operate", word: "keys", icon: "key", role: "admin" } },
  { name: "audit", pattern: "audit", view: load(() => import("@/views/audit/audit")), nav: { group: "operate", word: "audit", icon: "audit", role: "admin" } },
];
