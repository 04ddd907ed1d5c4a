import { count, plural } from "@/ui/format";
import { dict } from "@/words/words";

export const graphWords = dict({
  en: {
    graph: "Workflow graph", node: "node", tools: "Graph view", zoomIn: "Zoom in", zoomOut: "Zoom out", fit: "Show the whole graph",
    follow: "Follow what happens", followKey: "Graph: follow what happens", following: "Following", map: "Overview",
    round: (n: number, of?: number) => (of ? `Round ${n} of ${of}` : `Round ${n}`), iteration: (n: number) => `×${n}`,
    iterations: (n: number) => `run ${count(n)} times`, attempt: (n: number) => `attempt ${n}`, items: (done: number, total: number) => `${done} of ${total}`,
    branches: (n: number) => plural(n, "branch", "branches"), each: "for each item", steps: (n: number) => plural(n, "step"),
    child: (name: string) => `To the session of ${name}`, took: "Time", since: (time: string) => `since ${time}`, tokens: "Tokens", cost: "Cost", runs: "Runs",
    inOut: (input: string, output: string) => `${input} in, ${output} out`, notYet: "It has not run yet.",
  },
  zh: {
    graph: "流程图", node: "节点", tools: "流程图视图", zoomIn: "放大", zoomOut: "缩小", fit: "显示整个流程图",
    follow: "跟随进展", followKey: "流程图：跟随进展", following: "正在跟随", map: "总览",
    round: (n: number, of?: number) => (of ? `第 ${n} / ${of} 轮` : `第 ${n} 轮`), iteration: (n: number) => `×${n}`,
    iterations: (n: number) => `已运行 ${count(n)} 次`, attempt: (n: number) => `第 ${n} 次尝试`, items: (done: number, total: number) => `${done} / ${total}`,
    branches: (n: number) => `${n} 个分支`, each: "逐项执行", steps: (n: number) => `${n} 个步骤`,
    child: (name: string) => `前往“${name}”的会话`, took: "用时", since: (time: string) => `自 ${time}`, tokens: "Token", cost: "费用", runs: "运行",
    inOut: (input: string, output: string) => `输入 ${input}，输出 ${output}`, notYet: "尚未运行。",
  },
});

/** What stands at arrows: those that the page names itself, and the usual answers of a review. */
const arrowWords = dict<Record<string, string>>({
  en: { round: "round", exit: "exit", "on error": "on error", else: "else", each: "each" },
  zh: { round: "循环", exit: "退出", "on error": "出错时", else: "否则", each: "逐项", approve: "通过", reject: "退回", modify: "修改" },
});

export const arrowLabel = (label: string, lang: "en" | "zh"): string =>
  label.split(" / ").map((part) => arrowWords[lang][part] ?? (lang === "zh" ? part.replace(/^case (\d+)$/, "情形 $1") : part)).join(" / ");
