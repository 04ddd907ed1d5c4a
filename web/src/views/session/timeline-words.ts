import { count, plural } from "@/ui/format";
import { dict } from "@/words/words";

export const timelineWords = dict({
  en: {
    label: "Runs of the steps along time", summary: (runs: number, took: string) => `${plural(runs, "run")} in ${took}`,
    paused: (took: string) => `paused for ${took}`, hideIdle: "Leave out idle time", zoomIn: "Larger", zoomOut: "Smaller", fit: "All of it",
    as: "How the timeline is shown", chart: "Chart", table: "Table",
    step: "Step", run: "Run", state: "State", started: "Started", took: "Took", waited: "Waited", error: "Error",
    runName: (iteration: number, attempt: number) => (attempt > 1 ? `run ${iteration}, attempt ${attempt}` : `run ${iteration}`),
    item: (n: number) => `item ${n + 1}`, at: (time: string) => `at ${time}`, tookFor: (t: string) => `took ${t}`, since: (t: string) => `running for ${t}`,
    waitedFor: (t: string) => `${t} of it waiting`, waits: "waiting", failed: (why: string) => `failed: ${why}`,
    legend: "What the fills mean", legendRun: "ran", legendWait: "waited", legendPause: "paused", legendIdle: "idle time left out", legendFailed: "failed",
    empty: "Nothing has run yet", emptyAbout: "Each run of a step becomes a row here: when it began, how long it took, and how much of that it waited.",
    idleFor: (t: string) => `Nothing ran for ${t}`, pausedFor: (t: string) => `Paused for ${t}`, hint: "Point at a run, or use the arrow keys; Enter opens it.",
    more: (n: number) => `Show ${count(n)} more`, rest: "The log no longer reaches back to the beginning: waits and pauses before it are those that the server keeps.",
  },
  zh: {
    label: "各步骤随时间的运行", summary: (runs: number, took: string) => `${count(runs)} 次运行，共 ${took}`,
    paused: (took: string) => `暂停 ${took}`, hideIdle: "省略空闲时间", zoomIn: "放大", zoomOut: "缩小", fit: "显示全部",
    as: "时间线的显示方式", chart: "图", table: "表格",
    step: "步骤", run: "运行", state: "状态", started: "开始", took: "用时", waited: "等待", error: "错误",
    runName: (iteration: number, attempt: number) => (attempt > 1 ? `第 ${iteration} 次，第 ${attempt} 次尝试` : `第 ${iteration} 次`),
    item: (n: number) => `第 ${n + 1} 项`, at: (time: string) => `${time}`, tookFor: (t: string) => `用时 ${t}`, since: (t: string) => `已运行 ${t}`,
    waitedFor: (t: string) => `其中等待 ${t}`, waits: "等待中", failed: (why: string) => `失败：${why}`,
    legend: "填充的含义", legendRun: "运行", legendWait: "等待", legendPause: "暂停", legendIdle: "已省略的空闲时间", legendFailed: "失败",
    empty: "还没有任何运行", emptyAbout: "每个步骤的每次运行都会成为这里的一行：何时开始、用了多久、其中等待了多久。",
    idleFor: (t: string) => `空闲 ${t}`, pausedFor: (t: string) => `暂停 ${t}`, hint: "指向一次运行，或用方向键浏览；回车打开。",
    more: (n: number) => `再显示 ${count(n)} 行`, rest: "日志已不再包含最初的部分：之前的等待与暂停来自服务器的记录。",
  },
});
